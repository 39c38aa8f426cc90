"""Charts, grids of images, annotated photographs, and their palette."""
