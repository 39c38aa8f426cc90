"""Oulu-CASIA NIR&VIS: sequences from neutral to the peak, visible light, strong illumination."""

from __future__ import annotations

import pathlib
import re
from collections import Counter
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding
from pipelines.databases.base import Choices, Database, Sample, input_folder
from pipelines.databases.sequences import (
    TRAINED_FRAMES,
    Frame,
    Walk,
    counted,
    distinct,
    only_one,
    sequence_notes,
)

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
FOLDS = 10
EXPECTED_SUBJECTS, EXPECTED_SEQUENCES = 80, 480

_LAYOUT = "a folder with Oulu-CASIA's VL/Strong/P001/Anger/*.jpeg (or VL_Acropped/Strong) in it"
_LIGHT = re.compile(r"VL(_Acropped)?", re.IGNORECASE)
_STRONG = re.compile(r"Strong", re.IGNORECASE)
_SUBJECT = re.compile(r"P[0-9]{3,}")
_EMOTION = re.compile("|".join(CLASSES), re.IGNORECASE)
# What else a folder of subjects may be: other illuminations, and the near infrared.
_OTHER_LIGHT = re.compile(r"Weak|Dark|NI(_Acropped)?", re.IGNORECASE)


def read(path: Path, choices: Choices) -> Database:
    """`…/(VL|VL_Acropped)/Strong/P001/Anger/*.jpeg` at any depth below `path`, or `path` may
    be VL, Strong, or another folder that holds the subjects.

    The last three frames of a sequence, by the number at the end of their names, train; the
    last one, the peak, tests. The pictures as recorded (VL) are taken where the cropped ones
    lie beside them. Raises `BadUse` where there are none, or where it is not clear which.
    """
    root = input_folder(path, _LAYOUT)
    walk = Walk(root)
    strong, notes = _strong(walk)
    sequences: dict[str, list[Frame]] = {}
    for subject in walk.folders(strong, _SUBJECT):
        folders: dict[str, Path] = {}
        for each in walk.folders(subject, _EMOTION):
            if folders.setdefault(each.name.lower(), each) is not each:
                walk.strays.add(each)
        for name in CLASSES:
            frames = walk.frames(folders[name]) if name in folders else []
            sequences[f"{subject.name}_{name.capitalize()}"] = frames
    empty = [name for name, frames in sequences.items() if not frames]
    sequences = {name: frames for name, frames in sequences.items() if frames}
    if not sequences:
        raise BadUse(f"{strong} holds no picture of Oulu-CASIA; --input takes {_LAYOUT}")
    if empty:
        notes.append(f"no picture of {counted(empty, 'sequence')}")
    return Database(
        "oulu_casia",
        CLASSES,
        _samples(sequences),
        channels=3,
        root=root,
        folds=FOLDS,
        findings=_findings(sequences),
        notes=[*notes, *sequence_notes(sequences), *walk.notes()],
    )


def _strong(walk: Walk) -> tuple[Path, list[str]]:
    """The folder of subjects, and what has to be said about the choice."""
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
            each
            for light in lights
            for each in walk.entries(light)
            if _STRONG.fullmatch(each.name) and each.is_dir() and walk.holds(each, _SUBJECT)
        ]
    )
    if not found:
        raise BadUse(f"{root} has no VL/Strong with P001 and the like; --input takes {_LAYOUT}")
    recorded = [each for each in found if "_" not in each.parent.name]
    if not recorded or len(recorded) == len(found):
        return only_one(found, root), []
    return only_one(recorded, root), ["VL_Acropped lies beside VL and is not used"]


def _samples(sequences: dict[str, list[Frame]]) -> list[Sample]:
    samples = []
    for name, frames in sequences.items():
        subject, emotion = name.split("_")
        samples += [
            Sample(
                key=f"{name}_{frame.number:03d}",
                label=CLASSES.index(emotion.lower()),
                subject=subject,
                path=str(frame.path),
                train=True,
                test=frame is frames[-1],
                frame=frame.number,
            )
            for frame in frames[-TRAINED_FRAMES:]
        ]
    return samples


def _findings(sequences: dict[str, list[Frame]]) -> list[Finding]:
    by_class = Counter(name.split("_")[1].lower() for name in sequences)
    used = sum(len(frames[-TRAINED_FRAMES:]) for frames in sequences.values())
    subjects = {name.split("_")[0] for name in sequences}
    return [
        Finding("subjects", len(subjects), EXPECTED_SUBJECTS),
        Finding("sequences", len(sequences), EXPECTED_SEQUENCES),
        Finding("pictures", sum(map(len, sequences.values()))),
        Finding("last three frames", used, TRAINED_FRAMES * EXPECTED_SEQUENCES),
        *(Finding(name, by_class[name], EXPECTED_SUBJECTS) for name in CLASSES),
    ]
