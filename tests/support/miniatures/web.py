"""FER2013, FER+, RAF-DB and AffectNet in miniature: faces from the web, of unknown people."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.databases import affectnet as affectnet_reader
from pipelines.databases import fer2013 as fer2013_reader
from pipelines.databases import rafdb as rafdb_reader
from tests.support.miniatures import Shelf, course, encoder, people

FER_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Folders of the folder edition, by label."""
USAGES = ("Training", "PublicTest", "PrivateTest")
_RGB100 = encoder(100, 100, "RGB", "JPEG")
_RGB224 = encoder(224, 224, "RGB", "JPEG")


def gray48(faces: Path, label: str, index: int) -> np.ndarray:
    """uint8 (48,48): a person's peak of an expression, one gray level apart for each index."""
    persons = people(faces)
    source = course(faces, persons[index % len(persons)], label, 2)[-1]
    face = np.array(Image.open(source).convert("L").resize((48, 48)), np.uint8)
    face[0, :2] = index // 256, index % 256
    return face


def fer_rows(faces: Path, a_class: int = 3) -> list[tuple[int, np.ndarray, str]]:
    """Emotion, image and Usage: `a_class` images of every class in each part, part by part."""
    index = iter(range(10_000))
    return [
        (label, gray48(faces, name, next(index)), usage)
        for usage in USAGES
        for label, name in enumerate(fer2013_reader.CLASSES)
        for _ in range(a_class)
    ]


def fer2013(folder: Path, faces: Path, icml: bool = False, a_class: int = 3) -> Path:
    """`fer2013.csv`, or `icml_face_data.csv`, whose header has blanks and another order."""
    name, head = "fer2013.csv", ["emotion", "pixels", "Usage"]
    if icml:
        name, head = "icml_face_data.csv", ["emotion", " Usage", " pixels"]
    rows = []
    for label, face, usage in fer_rows(faces, a_class):
        text = " ".join(map(str, face.ravel()))
        rows.append([label, usage, text] if icml else [label, text, usage])
    return _table(folder / name, head, rows)


def fer2013_folders(folder: Path, faces: Path, a_class: int = 3) -> Path:
    """`train/<class>/Training_0.png` and `test/<class>/PublicTest_21.png`, `PrivateTest_…`."""
    for row, (label, face, usage) in enumerate(fer_rows(faces, a_class)):
        part = "train" if usage == "Training" else "test"
        path = folder / part / FER_NAMES[label] / f"{usage}_{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(path)
    return folder


def ferplus(folder: Path, faces: Path) -> Path:
    """`fer2013.csv` and `fer2013new.csv`: ten votes for the label of the first row of each class in
    a part, a majority for the second, and for the third a tie, `unknown`, `NF` or no name."""
    fer2013(folder, faces)
    rows = []
    for row, (label, _, usage) in enumerate(fer_rows(faces)):
        votes = dict.fromkeys(fer2013_reader.VOTED, 0)
        name, first = f"fer{row:07d}.png", fer2013_reader.CLASSES[label]
        other = "contempt"
        if row % 3 == 0:
            votes[first] = 10
        elif row % 3 == 1:
            votes[first], votes[other] = 6, 4
        elif label == 0:
            votes[first], votes[other] = 5, 5
        elif label == 1:
            votes["unknown"] = 10
        elif label == 2:
            votes["NF"] = 10
        elif label == 3:
            votes["NF"], name = 10, ""
        else:
            votes[other] = 10
        rows.append([usage, name, *votes.values()])
    _table(folder / "fer2013new.csv", ["Usage", "Image name", *fer2013_reader.VOTED], rows)
    return folder


def rafdb(folder: Path, faces: Path, full: bool = False, original: bool = False) -> Path:
    """`EmoLabel/list_patition_label.txt` and `Image/aligned/` (or `original/`)."""
    shelf, lines = Shelf(), []
    for stem, label in _raf_images(full):
        place = f"original/{stem}.jpg" if original else f"aligned/{stem}_aligned.jpg"
        shelf.put(folder / "Image" / place, _face(faces, label, len(lines)), _RGB100)
        lines.append(f"{stem}.jpg {label + 1}\n")
    (folder / "EmoLabel").mkdir(parents=True)
    (folder / "EmoLabel" / "list_patition_label.txt").write_text("".join(lines))
    return folder


def rafdb_folders(folder: Path, faces: Path) -> Path:
    """`DATASET/train/1/train_00001_aligned.jpg`, `train_labels.csv` and `test_labels.csv`."""
    shelf, rows = Shelf(), {"train": [], "test": []}
    for number, (stem, label) in enumerate(_raf_images(full=False)):
        part, name = stem.split("_")[0], f"{stem}_aligned.jpg"
        place = folder / "DATASET" / part / str(label + 1) / name
        shelf.put(place, _face(faces, label, number), _RGB100)
        rows[part].append([name, label + 1])
    for part, listed in rows.items():
        _table(folder / f"{part}_labels.csv", ["image", "label"], listed)
    return folder


def affectnet(folder: Path, faces: Path) -> Path:
    """The first release: `training.csv`, `validation.csv` and `Manually_Annotated_Images/`, two and
    one images of each of the eleven labels."""
    shelf, head = Shelf(), [
        *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
        *("facial_landmarks", "expression", "valence", "arousal"),
    ]  # fmt: skip
    number = iter(range(1000))
    for table, count in (("training.csv", 2), ("validation.csv", 1)):
        rows = []
        for code in range(11):
            for _ in range(count):
                index = next(number)
                name = f"{index % 7}/{index:040x}.jpg"
                source = _affect_face(faces, code, index)
                shelf.put(folder / "Manually_Annotated_Images" / name, source, _RGB224)
                points = ";".join(f"{k % 17 * 10 + 20}.5;{k // 17 * 40 + 30}.5" for k in range(68))
                rows.append([name, 10, 10, 200, 200, points, code, 0.1, -0.2])
        _table(folder / table, head, rows)
    return folder


def affectnet_sets(folder: Path, faces: Path) -> Path:
    """The second release: `train_set/images/N.jpg`, `annotations/N_exp.npy`, `val_set/` alike."""
    shelf, number = Shelf(), iter(range(1000))
    for part, count in (("train_set", 2), ("val_set", 1)):
        (folder / part / "annotations").mkdir(parents=True)
        for code in range(8):
            for _ in range(count):
                index = next(number)
                place = folder / part / "images" / f"{index}.jpg"
                shelf.put(place, _affect_face(faces, code, index), _RGB224)
                annotation = folder / part / "annotations" / f"{index}_exp.npy"
                # Text, as the release has it.
                np.save(annotation, np.array(str(code)))
    return folder


def _raf_images(full: bool) -> list[tuple[str, int]]:
    """Stem and label: two and one of each class, or the published numbers of each part."""
    train = (1290, 281, 717, 4772, 1982, 705, 2524) if full else (2,) * 7
    test = (329, 74, 160, 1185, 478, 162, 680) if full else (1,) * 7
    images = []
    for part, counts, digits in (("train", train, 5), ("test", test, 4)):
        labels = [label for label, count in enumerate(counts) for _ in range(count)]
        images += [(f"{part}_{k:0{digits}d}", label) for k, label in enumerate(labels, start=1)]
    return images


def _face(faces: Path, label: int, number: int) -> Path:
    persons = people(faces)
    return course(faces, persons[number % len(persons)], rafdb_reader.CLASSES[label], 2)[-1]


def _affect_face(faces: Path, code: int, number: int) -> Path:
    persons = people(faces)
    label = affectnet_reader.CLASSES[code] if code < 8 else "neutral"
    return course(faces, persons[number % len(persons)], label, 2)[-1]


def _table(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
    return path
