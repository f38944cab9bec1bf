// Cuts one image out of a picture that holds many side by side; before digit_grid.js and thumbnail.js.

/**
 * @typedef {object} Sprite
 * @property {string} sprite address of the picture
 * @property {number} columns
 * @property {number} rows
 */

/**
 * @param {Sprite} sprite
 * @param {number} index
 */
function cutOut({ sprite, columns, rows }, index) {
  /** @type {(at: number, n: number) => string} */
  const place = (at, n) => (n > 1 ? `${(100 * at) / (n - 1)}%` : "0%")
  return {
    backgroundImage: `url(${sprite})`,
    backgroundSize: `${100 * columns}% ${100 * rows}%`,
    backgroundPosition: `${place(index % columns, columns)} ${place(Math.floor(index / columns), rows)}`,
  }
}
