"""The Radboud Faces Database (RaFD): 67 people, eight expressions, three gazes, five cameras."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pipelines.databases.base import Database, Option, Sample, chosen, input_folder
from pipelines.databases.labels import PAPER, naming_note, paper_name
from pipelines.databases.sequences import Walk
from pipelines.databases.views import database_of_views

CLASSES = PAPER
CAMERAS = ("000", "045", "090", "135", "180")
"""Degrees, from one profile over the front (090) to the other; the sign of the yaw is a choice."""
NAMES = (
    *("angry", "contemptuous", "disgusted", "fearful"),
    *("happy", "neutral", "sad", "surprised"),
)
EXPECTED_SUBJECTS, GAZES = 67, 3
OPTIONS = (
    Option(
        "cameras",
        f"with commas, which of {', '.join(CAMERAS)} (090, the frontal one)",
        {"type": lambda text: tuple(text.split(",")), "metavar": "NAMES"},
    ),
)
_LAYOUT = "the folder with RaFD's images Rafd090_01_Caucasian_female_angry_frontal.jpg"
_NAME = re.compile(
    rf"Rafd({'|'.join(CAMERAS)})_([0-9]+)_([A-Za-z]+)_([a-z]+)_({'|'.join(NAMES)})_([a-z]+)",
    re.IGNORECASE,
)
_SEXES = {"female": "F", "male": "M"}


def read(path: Path, cameras: tuple[str, ...] = ("090",)) -> Database:
    """`Rafd090_01_Caucasian_female_angry_frontal.jpg` at any depth: camera, person, group, sex,
    expression, gaze.

    cameras: of `CAMERAS`; images from others are counted and left out. Raises `BadUse` for unknown
    cameras, or where there is no image.
    """
    chosen("--cameras", cameras, CAMERAS)
    walk = Walk(input_folder(path, _LAYOUT))
    samples, people, others = [], {}, Counter()
    for file, match in walk.images(_NAME):
        camera, person, group, sex, expression, _ = match.groups()
        if camera not in cameras:
            others[camera] += 1
            continue
        people[person] = {"sex": _SEXES.get(sex.lower(), sex), "group": group}
        samples.append(
            Sample(
                key=file.stem,
                label=CLASSES.index(paper_name(expression)),
                subject=person,
                path=str(file),
                yaw=float(camera) - 90,
            )
        )
    return database_of_views(
        "rafd",
        CLASSES,
        samples,
        others,
        walk,
        view="camera",
        views=cameras,
        of_all=len(CAMERAS),
        subjects=EXPECTED_SUBJECTS,
        takes=GAZES,
        people=people,
        layout=_LAYOUT,
        notes=naming_note(NAMES),
    )
