"""CK+48: the last three frames of CK+'s labelled sequences as 48×48 crops, a folder a class."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding
from pipelines.databases.base import Database, Sample, input_folder
from pipelines.databases.ckplus import CLASSES, FOLDS
from pipelines.databases.labels import naming_note, paper_name
from pipelines.databases.sequences import Walk

EXPECTED_BY_CLASS = (135, 54, 177, 75, 207, 84, 249)
EXPECTED_SUBJECTS, EXPECTED_SEQUENCES = 118, 327
OPTIONS = ()
_LAYOUT = "the folder CK+48 with anger/S010_004_00000017.png and the like"
_NAME = re.compile(r"(S[0-9]{3,})_([0-9]{3,})_([0-9]{1,18})", re.IGNORECASE)


def read(path: Path) -> Database:
    """`<class>/S010_004_00000017.png`, at any depth: person, sequence, frame.

    All frames train, and the last of a sequence, the peak, is tested. The faces are cropped
    already, and too small for a detector. Raises `BadUse` where there is none.
    """
    root = input_folder(path, _LAYOUT)
    walk = Walk(root)
    sequences: dict[tuple[str, str, str], list[tuple[int, Path]]] = defaultdict(list)
    for file, match in walk.images(_NAME):
        name = paper_name(file.parent.name)
        if name in CLASSES:
            person, sequence, frame = match[1].upper(), match[2], int(match[3])
            sequences[name, person, sequence].append((frame, file))
        else:
            walk.strays.add(file)
    if not sequences:
        raise BadUse(f"{root} holds no image of CK+48; --input takes {_LAYOUT}")
    samples = [
        Sample(
            key=file.stem,
            label=CLASSES.index(name),
            subject=person,
            path=str(file),
            test=frame == max(frames)[0],
            frame=frame,
            aligned=True,
        )
        for (name, person, _), frames in sequences.items()
        for frame, file in frames
    ]
    by_class = Counter(sample.label for sample in samples)
    folders = {Path(sample.path).parent.name for sample in samples}
    return Database(
        "ckplus48",
        CLASSES,
        samples,
        channels=1,
        root=root,
        folds=FOLDS,
        findings=[
            Finding("subjects", len({sample.subject for sample in samples}), EXPECTED_SUBJECTS),
            Finding("sequences", len(sequences), EXPECTED_SEQUENCES),
            Finding("images", len(samples), sum(EXPECTED_BY_CLASS)),
            *(Finding(n, by_class[k], EXPECTED_BY_CLASS[k]) for k, n in enumerate(CLASSES)),
        ],
        notes=[*naming_note(sorted(folders)), *walk.notes()],
    )
