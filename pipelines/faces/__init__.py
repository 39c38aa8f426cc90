"""From an image with a face to the aligned face of 128×128 pixels."""
