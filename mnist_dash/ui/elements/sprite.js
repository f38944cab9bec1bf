// Cuts one image out of a picture that holds many side by side; before digit_grid.js and thumbnail.js.

function cutOut({ sprite, columns, rows }, index) {
  const place = (at, n) => (n > 1 ? `${(100 * at) / (n - 1)}%` : "0%")
  return {
    backgroundImage: `url(${sprite})`,
    backgroundSize: `${100 * columns}% ${100 * rows}%`,
    backgroundPosition: `${place(index % columns, columns)} ${place(Math.floor(index / columns), rows)}`,
  }
}
