"""The role of a record in one fold."""

from __future__ import annotations

# The role of a record in one fold, TFD's own coding.
UNUSED, TRAIN, VALID, TEST = 0, 1, 2, 3
PARTS = {"train": TRAIN, "valid": VALID, "test": TEST}
"""The parts of a fold by name."""
