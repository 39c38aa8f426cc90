"""The Toronto Face Database: one .mat file of cropped faces with its official folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding
from pipelines.common.roles import TEST, TRAIN, UNUSED, VALID
from pipelines.databases.base import Database, Option, Sample
from pipelines.databases.matlab import read_arrays

# Labels 1…7 of `labs_ex`. The order is the one that public loaders use; the distribution
# itself could not be consulted.
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
EXPECTED_IMAGES, EXPECTED_LABELLED = 102_236, 4_178
FOLDS = 5
SIDES = (48, 96)
# The centres of the eye on the image's left, of the other eye and of the mouth, x y each, where
# the distribution's own alignment put them in its 48-pixel frame.
ANCHORS = (10.0, 10.0, 37.5, 10.0, 24.0, 39.0)
OPTIONS = (
    Option(
        "label_order",
        "the classes of the labels 1 to 7, in order, with commas",
        {"type": lambda text: tuple(text.split(",")), "metavar": "NAMES"},
    ),
    Option(
        "warp",
        "carry the eyes and the mouth onto the template instead of resizing the crop",
        {"action": "store_true"},
    ),
)
_LAYOUT = "TFD_48x48.mat or TFD_96x96.mat, or the folder that holds one of them"
_ARRAYS = ("images", "labs_ex", "labs_id", "folds")


def read(path: Path, label_order: tuple[str, ...] | None = None, warp: bool = False) -> Database:
    """`images` (N,48,48) or (N,96,96) uint8, `labs_ex` (N,1) 1…7, 0 or -1, `labs_id` (N,1),
    `folds` (N,5) with 0 unlabelled, 1 train, 2 valid, 3 test; MATLAB v5 or v7.3.

    Images without a label (0 or -1) are counted and left out. The faces are cropped already,
    and too small for a detector: they are resized, not searched; with warp their fixed eye and
    mouth positions become anchors instead. label_order: the classes of the labels 1 to 7. The
    folds are the official ones. Raises `BadUse` for any other file.
    """
    order = _order(label_order)
    file = _file(path)
    images, labels, people, folds = _checked(file, read_arrays(file, _ARRAYS))
    chosen = np.flatnonzero(labels > 0)
    scale = images.shape[1] / SIDES[0]
    anchors = tuple(value * scale for value in ANCHORS)
    samples = [
        Sample(
            key=f"{index:06d}",
            label=CLASSES.index(order[int(labels[index]) - 1]),
            subject=str(int(people[index])),
            # A copy, so that a worker is sent one face and not a view that pins them all.
            pixels=images[index].copy(),
            official=tuple(int(role) for role in folds[index]),
            aligned=not warp,
            anchors=anchors if warp else None,
        )
        for index in chosen
    ]
    return Database(
        "tfd",
        CLASSES,
        samples,
        channels=1,
        root=file.parent,
        folds=FOLDS,
        findings=_findings(len(images), [sample.label for sample in samples], folds[chosen]),
        notes=_notes(order, label_order is None, labels, people, folds),
    )


def _order(given: tuple[str, ...] | None) -> tuple[str, ...]:
    if given is None:
        return CLASSES
    if sorted(given) != sorted(CLASSES):
        raise BadUse(
            f"the label order {', '.join(given) or '(none)'} does not name each of TFD's seven "
            f"classes once: {', '.join(CLASSES)}"
        )
    return tuple(given)


def _file(path: Path) -> Path:
    if not path.exists():
        raise BadUse(f"{path} does not exist; --input takes {_LAYOUT}")
    if path.is_file():
        return path
    found = sorted(
        item for size in SIDES for item in path.glob(f"TFD*{size}x{size}*.mat") if item.is_file()
    )
    if not found:
        raise BadUse(f"{path} holds no TFD .mat file; --input takes {_LAYOUT}")
    if len(found) > 1:
        names = ", ".join(item.name for item in found)
        raise BadUse(f"{path} holds {names}; name the one to use with --input")
    return found[0]


def _checked(
    file: Path, arrays: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """images (N,S,S), labels (N,), people (N,), folds (N,5), if they are TFD's."""
    images, folds = arrays["images"], arrays["folds"]
    if images.dtype != np.uint8 or images.shape[1:] not in [(side, side) for side in SIDES]:
        raise BadUse(
            f"{file}: images has shape {images.shape} and type {images.dtype}, not (N,48,48) or "
            "(N,96,96) uint8"
        )
    count = len(images)
    shapes = {name: arrays[name].shape for name in ("labs_ex", "labs_id")}
    one_each = all(shape in ((count,), (count, 1), (1, count)) for shape in shapes.values())
    if not one_each or folds.shape != (count, FOLDS):
        raise BadUse(
            f"{file}: {count} images but labs_ex {shapes['labs_ex']}, labs_id "
            f"{shapes['labs_id']}, folds {folds.shape}; they are ({count},1), ({count},1) and "
            f"({count},{FOLDS})"
        )
    labels, people = arrays["labs_ex"].ravel(), arrays["labs_id"].ravel()
    if not np.isin(labels, range(-1, len(CLASSES) + 1)).all():
        raise BadUse(f"{file}: labs_ex holds values other than -1, 0 and 1…{len(CLASSES)}")
    if not np.isin(folds, (UNUSED, TRAIN, VALID, TEST)).all():
        raise BadUse(f"{file}: folds holds values other than 0, 1, 2 and 3")
    # Floats hold whole numbers up to 2**53 exactly.
    if (
        not (np.isfinite(people).all() and (np.abs(people) < 2.0**53).all())
        or (people != np.rint(people)).any()
    ):
        raise BadUse(f"{file}: labs_id holds values that are not whole numbers")
    return images, labels.astype(int), people.astype(int), folds.astype(int)


def _findings(images: int, labels: list[int], folds: np.ndarray) -> list[Finding]:
    """folds: (n,5), of the labelled images."""
    roles = (("train", TRAIN), ("valid", VALID), ("test", TEST))
    return [
        Finding("images", images, EXPECTED_IMAGES),
        Finding("labelled images", len(labels), EXPECTED_LABELLED),
        *(Finding(f"{name} images", labels.count(k)) for k, name in enumerate(CLASSES)),
        *(
            Finding(f"fold {fold} {name}", int((folds[:, fold] == role).sum()))
            for fold in range(FOLDS)
            for name, role in roles
        ),
    ]


def _notes(
    order: tuple[str, ...],
    assumed: bool,
    labels: np.ndarray,
    people: np.ndarray,
    folds: np.ndarray,
) -> list[str]:
    """What the user has to know about the file, in sentences; arrays of all N images."""
    labelled = labels > 0
    crossing = _crossing(people[labelled], folds[labelled])
    shared = (
        "; people with two or more of the roles train, valid and test: "
        f"{', '.join(map(str, crossing))} in the folds 0 to {FOLDS - 1}"
    )
    notes = [
        "the official folds are used" + (shared if any(crossing) else ""),
        f"the labels 1 to 7 are taken as {', '.join(order)}"
        + (
            ", the order that public loaders use; the distribution could not be consulted, so "
            "check some faces of each class, and set --label-order if it is another"
            if assumed
            else ", as requested"
        ),
    ]
    counts = (
        (
            int((labels == 0).sum()),
            "images have the label 0 and are left out, as those with -1 are",
        ),
        (
            int((~labelled & folds.any(1)).sum()),
            "images have a role in a fold and no label, and are left out",
        ),
        (
            int((labelled & ~folds.any(1)).sum()),
            "labelled images have no role in any fold, so nothing is trained or tested on them",
        ),
        (
            int((labelled & (people < 0)).sum()),
            "labelled images have a negative labs_id, so their subjects are unknown",
        ),
    )
    return notes + [f"{count} {what}" for count, what in counts if count]


def _crossing(people: np.ndarray, folds: np.ndarray) -> list[int]:
    """How many known people have more than one role, fold by fold."""
    crossing = []
    for roles in folds.T:
        known = (roles != UNUSED) & (people >= 0)
        pairs = np.unique(np.stack([people[known], roles[known]], 1), axis=0)
        _, counts = np.unique(pairs[:, 0], return_counts=True)
        crossing.append(int((counts > 1).sum()))
    return crossing
