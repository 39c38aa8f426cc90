"""Oulu-CASIA NIR&VIS: sequences from neutral to the peak, visible light, strong illumination."""

from __future__ import annotations

import pathlib
import re
from collections import Counter
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding
from pipelines.databases.base import Database, Sample, input_folder
from pipelines.databases.sequences import (
    TRAINED_FRAMES,
    Frame,
    Walk,
    distinct,
    only_one,
    sequence_findings,
    sequence_notes,
)

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
FOLDS = 10
EXPECTED_SUBJECTS, EXPECTED_SEQUENCES = 80, 480
OPTIONS = ()

_LAYOUT = "a folder with Oulu-CASIA's VL/Strong/P001/Anger/*.jpeg (or VL_Acropped/Strong) in it"
_LIGHT = re.compile(r"VL(_Acropped)?", re.IGNORECASE)
_STRONG = re.compile(r"Strong", re.IGNORECASE)
_SUBJECT = re.compile(r"P[0-9]{3,}")
_EMOTION = re.compile("|".join(CLASSES), re.IGNORECASE)
# Other folders that hold subjects: other illuminations, and the near infrared.
_OTHER_LIGHT = re.compile(r"Weak|Dark|NI(_Acropped)?", re.IGNORECASE)


def read(path: Path) -> Database:
    """`…/(VL|VL_Acropped)/Strong/P001/Anger/*.jpeg` at any depth below `path`, or `path` may
    be VL, Strong, or another folder that holds the subjects.

    The last three frames of a sequence, by the number at the end of their names, train; the
    last one, the peak, tests. The images as recorded (VL) are taken where the cropped ones
    lie beside them. Raises `BadUse` where there are none, or where it is not clear which.
    """
    root = input_folder(path, _LAYOUT)
    walk = Walk(root)
    strong, notes = _strong(walk)
    folders: dict[str, list[Frame]] = {}
    for subject in walk.folders(strong, _SUBJECT):
        emotions: dict[str, Path] = {}
        for folder in walk.folders(subject, _EMOTION):
            if emotions.setdefault(folder.name.lower(), folder) is not folder:
                walk.strays.add(folder)
        for name in CLASSES:
            frames = walk.frames(emotions[name]) if name in emotions else []
            folders[f"{subject.name}_{name.capitalize()}"] = frames
    sequences = {name: frames for name, frames in folders.items() if frames}
    if not sequences:
        raise BadUse(f"{strong} holds no image of Oulu-CASIA; --input takes {_LAYOUT}")
    return Database(
        "oulu_casia",
        CLASSES,
        [sample for name, frames in sequences.items() for sample in _samples(name, frames)],
        channels=3,
        root=root,
        folds=FOLDS,
        findings=_findings(sequences),
        notes=[*notes, *sequence_notes(folders), *walk.notes()],
    )


def _strong(walk: Walk) -> tuple[Path, list[str]]:
    """The folder of subjects, and notes on the choice."""
    root = walk.root
    # "." and a link have names of their own.
    here = root.resolve() if isinstance(root, pathlib.Path) else root
    if walk.holds(root, _SUBJECT):
        if _OTHER_LIGHT.fullmatch(here.name) or _OTHER_LIGHT.fullmatch(here.parent.name):
            raise BadUse(f"{root} is not VL/Strong; --input takes {_LAYOUT}")
        if _STRONG.fullmatch(here.name) and _LIGHT.fullmatch(here.parent.name):
            return root, []
        return root, ["taken for VL/Strong, though the folder is not called so"]
    lights = [root] if _LIGHT.fullmatch(here.name) else walk.find(_LIGHT, _SUBJECT)
    found = distinct(
        [
            folder
            for light in lights
            for folder in walk.entries(light)
            if _STRONG.fullmatch(folder.name)
            and walk.is_folder(folder)
            and walk.holds(folder, _SUBJECT)
        ]
    )
    if not found:
        raise BadUse(f"{root} has no VL/Strong with P001 and the like; --input takes {_LAYOUT}")
    recorded = [folder for folder in found if "_" not in folder.parent.name]
    if not recorded or len(recorded) == len(found):
        return only_one(found, root), []
    return only_one(recorded, root), ["VL_Acropped lies beside VL and is not used"]


def _samples(name: str, frames: list[Frame]) -> list[Sample]:
    subject, emotion = name.split("_")
    return [
        Sample(
            key=f"{name}_{frame.number:03d}",
            label=CLASSES.index(emotion.lower()),
            subject=subject,
            path=str(frame.path),
            test=frame is frames[-1],
            frame=frame.number,
        )
        for frame in frames[-TRAINED_FRAMES:]
    ]


def _findings(sequences: dict[str, list[Frame]]) -> list[Finding]:
    by_class = Counter(name.split("_")[1].lower() for name in sequences)
    subjects = {name.split("_")[0] for name in sequences}
    return [
        Finding("subjects", len(subjects), EXPECTED_SUBJECTS),
        Finding("sequences", len(sequences), EXPECTED_SEQUENCES),
        *sequence_findings(sequences, sequences, EXPECTED_SEQUENCES),
        *(Finding(name, by_class[name], EXPECTED_SUBJECTS) for name in CLASSES),
    ]
