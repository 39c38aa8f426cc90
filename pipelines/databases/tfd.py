"""The Toronto Face Database: one .mat file of cropped faces with its official folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.databases.base import Choices, Database, Sample
from pipelines.errors import BadUse
from pipelines.manifest import Finding

# Labels 1…7 of `labs_ex`. The order is the one that public loaders use; the distribution
# itself could not be consulted.
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
EXPECTED_IMAGES, EXPECTED_LABELLED = 102_236, 4_178
_LAYOUT = "TFD_48x48.mat or TFD_96x96.mat, or the folder that holds one of them"
_ARRAYS = ("images", "labs_ex", "labs_id", "folds")


def read(path: Path, choices: Choices) -> Database:
    """`images` (N,48,48) or (N,96,96) uint8, `labs_ex` (N,1) 1…7 or -1, `labs_id` (N,1),
    `folds` (N,5) with 0 unlabelled, 1 train, 2 valid, 3 test; MATLAB v5 or v7.3.

    The faces are cropped already, and too small for a detector: they are resized, not
    searched. The folds are the official ones, which do not keep people apart.
    """
    file = _file(path)
    arrays = _load(file)
    images, labels, people, folds = _checked(file, arrays)
    chosen = np.flatnonzero(labels > 0)
    samples = [
        Sample(
            key=f"{index:06d}",
            label=int(labels[index]) - 1,
            subject=str(int(people[index])),
            # A copy, so that a worker is sent one face and not a view that pins them all.
            pixels=images[index].copy(),
            official=tuple(int(role) for role in folds[index]),
            aligned=True,
        )
        for index in chosen
    ]
    findings = [
        Finding("images", len(images), EXPECTED_IMAGES),
        Finding("labelled images", len(chosen), EXPECTED_LABELLED),
    ]
    notes = [
        "the official folds are used; they do not keep people apart",
    ]
    return Database(
        "tfd",
        CLASSES,
        samples,
        channels=1,
        root=file.parent,
        folds=folds.shape[1],
        findings=findings,
        notes=notes,
    )


def _file(path: Path) -> Path:
    if not path.exists():
        raise BadUse(f"{path} does not exist; --input takes {_LAYOUT}")
    if path.is_file():
        return path
    found = sorted(
        item for size in (48, 96) for item in path.glob(f"TFD*{size}x{size}*.mat") if item.is_file()
    )
    if not found:
        raise BadUse(f"{path} holds no TFD .mat file; --input takes {_LAYOUT}")
    if len(found) > 1:
        names = ", ".join(item.name for item in found)
        raise BadUse(f"{path} holds {names}; name the one to use with --input")
    return found[0]


def _load(file: Path) -> dict[str, np.ndarray]:
    import scipy.io

    try:
        return scipy.io.loadmat(file, variable_names=_ARRAYS)
    except NotImplementedError:
        return _load_v73(file)
    except Exception as error:
        raise BadUse(f"{file} cannot be read as a MATLAB file: {error}") from error


def _load_v73(file: Path) -> dict[str, np.ndarray]:
    """v7.3 is HDF5, which keeps MATLAB's column order: every array comes with its axes
    reversed."""
    try:
        import h5py
    except ImportError:
        raise BadUse(
            f"{file} is a MATLAB v7.3 file: run `pip install h5py`, or save it again with "
            "`save -v7`"
        ) from None
    try:
        with h5py.File(file) as content:
            return {name: np.asarray(content[name]).T for name in _ARRAYS if name in content}
    except OSError as error:
        raise BadUse(f"{file} cannot be read as a MATLAB v7.3 file: {error}") from error


def _checked(
    file: Path, arrays: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    for name in _ARRAYS:
        if name not in arrays:
            raise BadUse(f"{file} has no array {name!r}; TFD files have {', '.join(_ARRAYS)}")
    images = arrays["images"]
    if images.ndim != 3 or images.shape[1] != images.shape[2] or images.dtype != np.uint8:
        raise BadUse(
            f"{file}: images has shape {images.shape} and type {images.dtype}, not (N,48,48) or "
            "(N,96,96) uint8"
        )
    count = len(images)
    labels, people = arrays["labs_ex"].ravel(), arrays["labs_id"].ravel()
    folds = arrays["folds"]
    if len(labels) != count or len(people) != count or folds.ndim != 2 or len(folds) != count:
        raise BadUse(
            f"{file}: {count} images but labs_ex {arrays['labs_ex'].shape}, labs_id "
            f"{arrays['labs_id'].shape}, folds {folds.shape}"
        )
    if not np.isin(labels, [-1, 0, *range(1, len(CLASSES) + 1)]).all():
        raise BadUse(f"{file}: labs_ex holds values other than -1 and 1…{len(CLASSES)}")
    if not np.isin(folds, [0, 1, 2, 3]).all():
        raise BadUse(f"{file}: folds holds values other than 0, 1, 2 and 3")
    return images, labels, people, folds
