"""Images and films: bytes in, pixels out."""
