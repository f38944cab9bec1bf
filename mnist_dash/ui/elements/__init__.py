"""Elements with JavaScript of their own: charts, grids of images, the canvas."""
