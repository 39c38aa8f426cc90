"""TFD in miniature: .mat files of both versions and sizes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import scipy.io

IMAGES, LABELLED = 102_236, 4_178


def arrays(side: int = 48) -> dict[str, np.ndarray]:
    """Ten faces: one of each of the seven classes, then three without a label. Everybody is a
    person of their own but 106, who is 105: trained on as 5, tested as 6 in fold 1 alone."""
    folds = np.tile([[1, 3, 2, 1, 1]], (10, 1)).astype(np.uint8)
    folds[6, 1] = 1
    folds[7:] = 0
    people = np.arange(100, 110, dtype=np.int16)
    people[6] = 105
    return {
        "images": np.random.default_rng(5).integers(0, 256, (10, side, side), np.uint8),
        "labs_ex": np.array([1, 2, 3, 4, 5, 6, 7, -1, -1, -1], np.int16)[:, None],
        "labs_id": people[:, None],
        "folds": folds,
    }


def write_v5(path: Path, values: dict, compressed: bool = True) -> Path:
    """As the database is distributed."""
    scipy.io.savemat(path, values, do_compression=compressed)
    return path


def write_v73(path: Path, values: dict[str, np.ndarray], **options) -> Path:
    """As MATLAB's `save -v7.3` does: HDF5 with the axes reversed, behind a header."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in values.items():
            file.create_dataset(name, data=value.T, **options)
    return with_v73_header(path)


def with_v73_header(path: Path) -> Path:
    """MATLAB's own header before the HDF5 part: text, then version 2.0 and byte order."""
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM")
    return path


def full_counts(path: Path) -> Path:
    """102,236 black images, of which the first 4,178 are labelled; made in seconds."""
    labels = np.full((IMAGES, 1), -1, np.int16)
    labels[:LABELLED, 0] = np.arange(LABELLED) % 7 + 1
    folds = np.zeros((IMAGES, 5), np.uint8)
    folds[:LABELLED] = 1 + (np.arange(LABELLED)[:, None] + np.arange(5)) % 3
    people = np.arange(IMAGES, dtype=np.int32)[:, None]
    values = {"labs_ex": labels, "labs_id": people, "folds": folds}
    return write_v5(path, {"images": np.zeros((IMAGES, 48, 48), np.uint8), **values})
