"""The Karolinska Directed Emotional Faces (KDEF): 70 people, two sessions, five angles."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pipelines.databases.base import Database, Option, Sample, chosen, input_folder
from pipelines.databases.sequences import Walk
from pipelines.databases.views import database_of_views

# The letters of an expression and of an angle in a file's name. AF is afraid.
CODES = {
    "NE": "neutral",
    "AN": "anger",
    "DI": "disgust",
    "AF": "fear",
    "HA": "happiness",
    "SA": "sadness",
    "SU": "surprise",
}
CLASSES = tuple(CODES.values())
YAWS = {"FL": -90.0, "HL": -45.0, "S": 0.0, "HR": 45.0, "FR": 90.0}
"""Degrees by angle: full and half left, straight, half and full right. The sign is a choice."""
EXPECTED_SUBJECTS, SESSIONS = 70, 2
OPTIONS = (
    Option(
        "angles",
        f"with commas, which of {', '.join(YAWS)} (S, the frontal ones)",
        {"type": lambda text: tuple(text.upper().split(",")), "metavar": "NAMES"},
    ),
)
_LAYOUT = "the folder with KDEF's AF01/AF01ANS.JPG and the like"
_NAME = re.compile(r"([AB])([FM])([0-9]{2})(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)", re.IGNORECASE)


def read(path: Path, angles: tuple[str, ...] = ("S",)) -> Database:
    """`AF01ANS.JPG` at any depth: session, sex, number, expression, angle.

    Sex and number name the person, who is the same in both sessions. angles: of `YAWS`; images
    from others are counted and left out. Raises `BadUse` for unknown angles, or without images.
    """
    chosen("--angles", angles, YAWS)
    walk = Walk(input_folder(path, _LAYOUT))
    samples, people, others = [], {}, Counter()
    for file, match in walk.images(_NAME):
        _, sex, number, expression, angle = (text.upper() for text in match.groups())
        if angle not in angles:
            others[angle] += 1
            continue
        people[sex + number] = {"sex": sex}
        samples.append(
            Sample(
                key=file.stem,
                label=CLASSES.index(CODES[expression]),
                subject=sex + number,
                path=str(file),
                yaw=YAWS[angle],
            )
        )
    return database_of_views(
        "kdef",
        CLASSES,
        samples,
        others,
        walk,
        view="angle",
        views=angles,
        of_all=len(YAWS),
        subjects=EXPECTED_SUBJECTS,
        takes=SESSIONS,
        people=people,
        layout=_LAYOUT,
    )
