"""RAF-DB's basic expressions: 15,339 faces from the web, with official parts."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding, Reject
from pipelines.common.roles import TEST, TRAIN
from pipelines.databases import parts
from pipelines.databases.base import UNKNOWN, Database, Sample, input_folder
from pipelines.databases.sequences import Walk, relative
from pipelines.databases.tables import read_columns

# Labels 1 to 7, in order.
CLASSES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
EXPECTED_BY_CLASS = (1_619, 355, 877, 5_957, 2_460, 867, 3_204)
EXPECTED_BY_PART = {TRAIN: 12_271, TEST: 3_068}
OPTIONS = ()
_LAYOUT = (
    "the folder with EmoLabel/list_patition_label.txt and Image/aligned/ (or Image/original/), or "
    "the one with train/1 to train/7 and test/1 to test/7"
)
_LABELS = re.compile(r"EmoLabel", re.IGNORECASE)
_IMAGES = re.compile(r"Image", re.IGNORECASE)
# The first spelling is the distribution's.
_LISTS = ("list_patition_label.txt", "list_partition_label.txt")
_NAME = re.compile(r"(train|test)_[0-9]+")


def read(path: Path) -> Database:
    """`EmoLabel/list_patition_label.txt` with `Image/aligned/` or else `Image/original/`, or
    `train/1…7/` and `test/1…7/`, whose `train_labels.csv` has to agree where it is there.

    Aligned images are cropped faces already. Who is shown is not known. Raises `BadUse` for other
    folders.
    """
    root = input_folder(path, _LAYOUT)
    walk = Walk(root)
    places = [root, *walk.find(_LABELS, _IMAGES)]
    lists = [place / name for place in places for name in _LISTS if walk.is_file(place / name)]
    samples, roles, rejects = _listed(walk, lists[0]) if lists else _in_folders(walk)
    if not samples and not rejects:
        raise BadUse(f"{root} holds no image of RAF-DB; --input takes {_LAYOUT}")
    by_class = Counter(sample.label for sample in samples)
    return Database(
        "rafdb",
        CLASSES,
        samples,
        channels=3,
        root=root,
        folds=1,
        findings=[
            Finding("images", len(samples), sum(EXPECTED_BY_CLASS)),
            Finding("train", roles.count(TRAIN), EXPECTED_BY_PART[TRAIN]),
            Finding("test", roles.count(TEST), EXPECTED_BY_PART[TEST]),
            *(Finding(n, by_class[k], EXPECTED_BY_CLASS[k]) for k, n in enumerate(CLASSES)),
        ],
        notes=walk.notes(),
        rejects=rejects,
        subjects=UNKNOWN,
    )


def _listed(walk: Walk, table: Path) -> tuple[list[Sample], list[int], list[Reject]]:
    """Samples, their roles, and rejects, from the distribution's own list."""
    images, aligned = _image_folder(walk, table)
    suffix = "_aligned" if aligned else ""
    present = {file.name: file for file in walk.files(images, depth=0)}
    samples, roles, rejects = [], [], []
    for line, text in enumerate(table.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not text.strip():
            continue
        name, _, code = text.strip().rpartition(" ")
        stem = Path(name).stem
        part, label = _NAME.fullmatch(stem), _label(code)
        file = present.get(f"{stem}{suffix}.jpg")
        reason = (
            (not part and f"its name {name!r:.40} is neither train_… nor test_…")
            or (label is None and f"its label {code!r:.20} is not 1 to {len(CLASSES)}")
            or (file is None and f"{images.name}/{stem}{suffix}.jpg does not exist")
        )
        if reason:
            rejects.append(Reject(stem, f"{table.name}, line {line}", "", "", reason))
            continue
        roles.append(parts.role_of(part[1]))
        samples.append(
            Sample(stem, label, "", path=str(file), official=(roles[-1],), aligned=aligned)
        )
    return samples, roles, rejects


def _image_folder(walk: Walk, table: Path) -> tuple[Path, bool]:
    """The folder of images, and whether they are aligned."""
    for above in (table.parent.parent, table.parent):
        for name in ("Image/aligned", "Image/original", "aligned", "original"):
            if (above / name).is_dir():
                return above / name, name.endswith("aligned")
    raise BadUse(
        f"{table} has no Image/aligned or Image/original beside its folder; --input takes {_LAYOUT}"
    )


def _in_folders(walk: Walk) -> tuple[list[Sample], list[int], list[Reject]]:
    found = parts.images_of_parts(walk, _label)
    listed: dict[str, int | None] = {}
    for folder in {above for file, _, _ in found for above in file.parents[2:4]}:
        for name in ("train_labels.csv", "test_labels.csv"):
            if folder.is_relative_to(walk.root) and walk.is_file(folder / name):
                rows = read_columns(folder / name, ("image", "label"))
                listed |= {image: _label(code) for _, (image, code) in rows}
                walk.strays.discard(folder / name)
    samples, roles, rejects = [], [], []
    for file, label, role in found:
        other = listed.get(file.name, label)
        if other != label:
            source = relative(file, walk.root)
            reason = f"its folder is {label + 1}, and the list of labels differs"
            rejects.append(Reject(file.stem, source, CLASSES[label], "", reason))
            continue
        roles.append(role)
        samples.append(Sample(file.stem, label, "", path=str(file), official=(role,), aligned=True))
    return samples, roles, rejects


def _label(code: str) -> int | None:
    return int(code) - 1 if code in map(str, range(1, len(CLASSES) + 1)) else None
