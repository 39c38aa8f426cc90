"""The extended Cohn-Kanade database (CK+): sequences from neutral to the peak, some labelled."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.listing import Listing
from pipelines.common.records import Finding, Reject
from pipelines.databases.base import LANDMARKS, Database, Sample, input_folder, listed_names
from pipelines.databases.sequences import (
    TRAINED_FRAMES,
    Frame,
    Walk,
    beside,
    is_inside,
    located,
    only_one,
    relative,
    sequence_findings,
    sequence_notes,
)

# Codes 1 to 7 of an emotion file, in order; 0 is neutral.
CLASSES = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
FOLDS = 10
EXPECTED_BY_CLASS = (45, 18, 59, 25, 69, 28, 83)
EXPECTED_BY_FOLD = (33, 39, 40, 35, 30, 37, 29, 29, 33, 22)
EXPECTED_SUBJECTS, EXPECTED_SEQUENCES = 123, 593
EXPECTED_LABELLED_SUBJECTS, EXPECTED_LABELLED = 118, 327
OPTIONS = (LANDMARKS,)

_LAYOUT = (
    "the folder that holds CK+'s cohn-kanade-images/S005/001/S005_001_00000011.png and "
    "Emotion/S005/001/S005_001_00000011_emotion.txt"
)
_SUBJECT = re.compile(r"S[0-9]{3,}")
_SEQUENCE = re.compile(r"[0-9]{3,}")
# Archives unpack into folders of their own name, hence Emotion_labels/Emotion and the like.
_IMAGES = re.compile(r"(extended-)?cohn-kanade-images", re.IGNORECASE)
_EMOTION = re.compile(r"Emotion(_labels)?", re.IGNORECASE)
_LANDMARKS = re.compile(r"Landmarks", re.IGNORECASE)
_OTHER_TREES = re.compile(r"(Emotion(_labels)?|Landmarks|FACS(_labels)?)", re.IGNORECASE)
# A label takes a dozen bytes; a file of gigabytes is not read for one.
_LABEL_BYTES = 64


@dataclass
class _Labels:
    """The contents of the label folders, by sequence ("S005_001")."""

    codes: dict[str, int] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)
    early: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def read(path: Path, landmarks: bool = False) -> Database:
    """`cohn-kanade-images/S005/001/*.png` and the label of its last frame in `Emotion/`.

    Only labelled sequences give samples: the last three frames train, the last one, the
    peak, tests. landmarks: each sample carries its file in `Landmarks/`, and one without is
    rejected. `path` may be a folder above or the image folder itself. Raises `BadUse` where
    images, labels or the requested landmarks cannot be found.
    """
    root = input_folder(path, _LAYOUT)
    walk = Walk(root)
    images = _images(walk)
    labels_at = _tree(walk, images, _EMOTION, "Emotion")
    landmarks_at = _tree(walk, images, _LANDMARKS, "Landmarks") if landmarks else None
    folders: dict[str, list[Frame]] = {}
    for subject in walk.folders(images, _SUBJECT):
        for folder in walk.folders(subject, _SEQUENCE):
            name = f"{subject.name}_{folder.name}"
            folders[name] = walk.frames(folder, re.compile(f"{name}_[0-9]+"))
    sequences = {name: frames for name, frames in folders.items() if frames}
    if not sequences:
        raise BadUse(f"{images} holds no image of CK+; --input takes {_LAYOUT}")
    labels = _labels(walk, labels_at, sequences)
    labelled = {name: code for name, code in labels.codes.items() if code > 0}
    samples, rejects = _samples(root, sequences, labelled, landmarks_at)
    return Database(
        "ckplus",
        CLASSES,
        samples,
        channels=1,
        root=root,
        folds=FOLDS,
        findings=_findings(sequences, labelled),
        notes=[*_label_notes(sequences, labels), *sequence_notes(folders), *walk.notes()],
        rejects=[*labels.rejects, *rejects],
    )


def _images(walk: Walk) -> Path:
    """The folder that holds the subjects' images."""
    found = located(walk, _IMAGES, _SUBJECT)
    if found:
        return only_one(found, walk.root)
    if walk.holds(walk.root, _SUBJECT) and not _OTHER_TREES.fullmatch(walk.root.name):
        return walk.root
    raise BadUse(f"{walk.root} has no cohn-kanade-images folder; --input takes {_LAYOUT}")


def _tree(walk: Walk, images: Path, pattern: re.Pattern[str], name: str) -> Path:
    """The folder of labels or landmarks: in the input, or beside the images if the input is
    the image folder."""
    found = located(walk, pattern, _SUBJECT)
    if not found and images == walk.root:
        found = beside(images, pattern, _SUBJECT)
    if not found:
        raise BadUse(
            f"{walk.root} has CK+'s images but no folder {name} with S005 and the like in "
            f"it; --input takes {_LAYOUT}"
        )
    return only_one(found, walk.root)


def _labels(walk: Walk, tree: Path, sequences: dict[str, list[Frame]]) -> _Labels:
    labels = _Labels()
    inner = walk.of(tree)
    for subject in inner.folders(tree, _SUBJECT):
        for folder in inner.folders(subject, _SEQUENCE):
            name = f"{subject.name}_{folder.name}"
            pattern = re.compile(rf"{name}_([0-9]{{1,18}})_emotion\.txt", re.IGNORECASE)
            files = []
            for entry in inner.entries(folder):
                if pattern.fullmatch(entry.name) and inner.is_file(entry):
                    files.append(entry)
                else:
                    inner.strays.add(entry)
            if not files:
                labels.empty.add(name)
                continue
            code, reason = _code(files[0])
            if len(files) > 1:
                reason = f"has {len(files)} emotion files"
            elif not reason and name not in sequences:
                reason = "labelled, but there is no image of the sequence"
            if reason:
                source = relative(files[0], walk.root, tree.parent)
                labels.rejects.append(Reject(name, source, "", subject.name, reason))
                continue
            labels.codes[name] = code
            frame, last = int(pattern.fullmatch(files[0].name)[1]), sequences[name][-1].number
            if frame != last:
                labels.early.append(f"{name} (frame {frame}, the last is {last})")
    return labels


def _code(file: Path) -> tuple[int, str]:
    """The code in an emotion file, 0 to 7, and the reason if there is none, else ""."""
    with file.open("rb") as opened:
        data = opened.read(_LABEL_BYTES)
    try:
        value = float(data.decode("utf-8-sig").strip())
    except ValueError:
        return 0, f"its emotion file holds {data[:20].decode(errors='replace')!r}, not a number"
    # NaN and infinity are in no range of integers either.
    if value not in range(len(CLASSES) + 1):
        return 0, f"its emotion file has the unknown code {value:g}"
    return int(value), ""


def _samples(
    root: Path,
    sequences: dict[str, list[Frame]],
    labelled: dict[str, int],
    landmarks_at: Path | None,
) -> tuple[list[Sample], list[Reject]]:
    samples, rejects = [], []
    listing = Listing(root if landmarks_at is None else landmarks_at)
    for name, code in labelled.items():
        subject, frames = name.split("_")[0], sequences[name]
        for frame in frames[-TRAINED_FRAMES:]:
            key, landmarks = frame.path.stem, None
            if landmarks_at is not None:
                landmarks = landmarks_at.joinpath(*name.split("_"), f"{key}_landmarks.txt")
                if not listing.is_file(landmarks) or not is_inside(landmarks, landmarks_at):
                    source, class_name = relative(frame.path, root), CLASSES[code - 1]
                    reason = "has no landmark file"
                    rejects.append(Reject(key, source, class_name, subject, reason))
                    continue
            samples.append(
                Sample(
                    key=key,
                    label=code - 1,
                    subject=subject,
                    path=str(frame.path),
                    test=frame is frames[-1],
                    frame=frame.number,
                    landmarks=str(landmarks) if landmarks else None,
                )
            )
    return samples, rejects


def _findings(sequences: dict[str, list[Frame]], labelled: dict[str, int]) -> list[Finding]:
    subjects = sorted({name.split("_")[0] for name in labelled})
    tested_in = {subject: index % FOLDS for index, subject in enumerate(subjects)}
    by_class = Counter(labelled.values())
    by_fold = Counter(tested_in[name.split("_")[0]] for name in labelled)
    return [
        Finding("subjects", len({name.split("_")[0] for name in sequences}), EXPECTED_SUBJECTS),
        Finding("sequences", len(sequences), EXPECTED_SEQUENCES),
        Finding("labelled subjects", len(subjects), EXPECTED_LABELLED_SUBJECTS),
        Finding("labelled sequences", len(labelled), EXPECTED_LABELLED),
        *sequence_findings(sequences, labelled, EXPECTED_LABELLED),
        *(
            Finding(name, by_class[index + 1], EXPECTED_BY_CLASS[index])
            for index, name in enumerate(CLASSES)
        ),
        *(
            Finding(f"labelled sequences of fold {fold}", by_fold[fold], EXPECTED_BY_FOLD[fold])
            for fold in range(FOLDS)
        ),
    ]


def _label_notes(sequences: dict[str, list[Frame]], labels: _Labels) -> list[str]:
    refused = {reject.key for reject in labels.rejects}
    unlabelled = [name for name in sequences if name not in labels.codes and name not in refused]
    empty = sum(name in labels.empty for name in unlabelled)
    neutral = [name for name, code in labels.codes.items() if code == 0]
    notes = []
    if unlabelled:
        notes.append(
            f"{len(unlabelled)} of {len(sequences)} sequences have no label and are not used: "
            f"{empty} with an empty label folder, {len(unlabelled) - empty} without one"
        )
    if neutral:
        notes.append(
            "labelled neutral, which is not among the seven classes, and not used: "
            + listed_names(neutral)
        )
    if labels.early:
        notes.append(
            "labelled at a frame that is not the last one, whose label is used all the same: "
            + listed_names(labels.early, shown=20)
        )
    return notes
