"""JAFFE: ten Japanese women, 213 images, recorded people and expression in each file's name."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding
from pipelines.databases.base import Database, Sample, input_folder
from pipelines.databases.sequences import Walk

# The two letters of an expression in a file's name.
CODES = {
    "NE": "neutral",
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "SA": "sadness",
    "SU": "surprise",
}
CLASSES = tuple(CODES.values())
EXPECTED_BY_CLASS = (30, 30, 29, 32, 31, 31, 30)
EXPECTED_SUBJECTS = 10
OPTIONS = ()
_LAYOUT = "the folder with JAFFE's images KA.AN1.39.tiff"
_NAME = re.compile(r"([A-Z]{2})\.(NE|AN|DI|FE|HA|SA|SU)[0-9]+\.[0-9]+", re.IGNORECASE)


def read(path: Path) -> Database:
    """`KA.AN1.39.tiff` at any depth: person, expression, number of the take, of the image.

    Raises `BadUse` where there is none.
    """
    root = input_folder(path, _LAYOUT)
    walk = Walk(root)
    samples = [
        Sample(
            key=file.stem,
            label=CLASSES.index(CODES[match[2].upper()]),
            subject=match[1].upper(),
            path=str(file),
        )
        for file, match in walk.images(_NAME)
    ]
    if not samples:
        raise BadUse(f"{root} holds no image named as JAFFE's; --input takes {_LAYOUT}")
    by_class = Counter(sample.label for sample in samples)
    return Database(
        "jaffe",
        CLASSES,
        samples,
        channels=1,
        root=root,
        folds=EXPECTED_SUBJECTS,
        findings=[
            Finding("subjects", len({sample.subject for sample in samples}), EXPECTED_SUBJECTS),
            Finding("images", len(samples), sum(EXPECTED_BY_CLASS)),
            *(Finding(n, by_class[k], EXPECTED_BY_CLASS[k]) for k, n in enumerate(CLASSES)),
        ],
        notes=walk.notes(),
    )
