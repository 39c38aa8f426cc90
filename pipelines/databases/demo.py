"""The demo database: rendered people in the `images` layout with `faces.csv` beside them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.databases.base import Database, Sample, input_folder
from pipelines.databases.sequences import TRAINED_FRAMES
from pipelines.databases.tables import Row, read_table

CLASSES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
TABLE = "faces.csv"
OPTIONS = ()
ABOUT = ("sex", "age", "skin")
"""Columns on the person: F or M, 0 (about 20) to 1 (about 70), 0 (light) to 5."""
_LAYOUT = f"a folder written by `python -m pipelines.demo_faces`, with its {TABLE}"


def read(path: Path) -> Database:
    """`<class>/<subject>_<frame>.png` and `faces.csv` (path, label, subject, frame, …); its
    columns sex, age and skin, if they are there, become `Database.people`.

    As with the recorded databases, the last three frames of a sequence train and its last
    one is tested; of a neutral sequence, which has no onset, every frame trains.
    """
    root = input_folder(path, _LAYOUT)
    if not (root / TABLE).is_file():
        raise BadUse(f"{root} has no {TABLE}; --input takes {_LAYOUT}")
    rows = read_table(root / TABLE, ("path", "label", "subject", "frame", "intensity", "yaw"))
    sequences: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["label"] not in CLASSES:
            raise BadUse(
                f"{root / TABLE}, line {row.line}: {row['label']!r} is not a class of the demo "
                f"database ({', '.join(CLASSES)})"
            )
        sequences[row["subject"], row["label"]].append(row)
    samples = []
    for (subject, label), frames in sorted(sequences.items()):
        frames.sort(key=lambda row: row.integer("frame"))
        for position, row in enumerate(frames):
            late = position >= len(frames) - TRAINED_FRAMES
            samples.append(
                Sample(
                    key=Path(row["path"]).with_suffix("").as_posix(),
                    label=CLASSES.index(label),
                    subject=subject,
                    path=str(root / row["path"]),
                    train=late or label == "neutral",
                    test=position == len(frames) - 1,
                    frame=row.integer("frame"),
                    intensity=row.number("intensity"),
                    yaw=row.number("yaw"),
                )
            )
    known = {row["subject"]: {name: row[name] for name in ABOUT if row[name]} for row in rows}
    people = {subject: about for subject, about in known.items() if about}
    return Database("demo", CLASSES, samples, channels=3, root=root, people=people)
