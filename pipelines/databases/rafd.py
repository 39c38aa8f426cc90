"""The Radboud Faces Database (RaFD): 67 people, eight expressions, three gazes, five cameras."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding
from pipelines.databases.base import Database, Option, Sample, chosen, input_folder, listed_names
from pipelines.databases.labels import PAPER, naming_note, paper_name
from pipelines.databases.sequences import Walk

CLASSES = PAPER
CAMERAS = ("000", "045", "090", "135", "180")
"""Degrees, from one profile over the front (090) to the other; the sign of the yaw is a choice."""
NAMES = (
    *("angry", "contemptuous", "disgusted", "fearful"),
    *("happy", "neutral", "sad", "surprised"),
)
EXPECTED_SUBJECTS, GAZES = 67, 3
EXPECTED_A_CAMERA = EXPECTED_SUBJECTS * len(CLASSES) * GAZES
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
    root = input_folder(path, _LAYOUT)
    walk = Walk(root)
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
    if not samples:
        seen = f" from the cameras {', '.join(cameras)}" if others else ""
        raise BadUse(f"{root} holds no image of RaFD{seen}; --input takes {_LAYOUT}")
    by_class = Counter(sample.label for sample in samples)
    expected = EXPECTED_SUBJECTS * GAZES * len(cameras)
    left_out = f"other cameras, not used (--cameras): {listed_names(others.elements())}"
    return Database(
        "rafd",
        CLASSES,
        samples,
        channels=3,
        root=root,
        folds=10,
        findings=[
            Finding("subjects", len(people), EXPECTED_SUBJECTS),
            Finding("images of all cameras", len(samples) + others.total(), 5 * EXPECTED_A_CAMERA),
            Finding(
                f"images, camera {', '.join(cameras)}",
                len(samples),
                EXPECTED_A_CAMERA * len(cameras),
            ),
            *(Finding(name, by_class[label], expected) for label, name in enumerate(CLASSES)),
        ],
        notes=[*naming_note(NAMES), *([left_out] if others else []), *walk.notes()],
        people=people,
    )
