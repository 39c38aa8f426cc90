"""JAFFE, KDEF, RaFD and CK+48 in miniature: people whose images name them."""

from __future__ import annotations

from pathlib import Path

from tests.support.miniatures import Shelf, course, encoder, people

JAFFE_PEOPLE = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
JAFFE_CODES = {
    "NE": ("neutral", 30),
    "AN": ("anger", 30),
    "DI": ("disgust", 29),
    "FE": ("fear", 32),
    "HA": ("happiness", 31),
    "SA": ("sadness", 31),
    "SU": ("surprise", 30),
}
"""The rendered expression and the published number of images of each code."""
KDEF_CODES = {
    "AF": "fear",
    "AN": "anger",
    "DI": "disgust",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}
RAFD_NAMES = {
    "angry": "anger",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprised": "surprise",
}
CK48_IMAGES = {
    "anger": 135,
    "contempt": 54,
    "disgust": 177,
    "fear": 75,
    "happy": 207,
    "sadness": 84,
    "surprise": 249,
}

_TIFF256 = encoder(256, 256, "L", "TIFF")
_JPEG562 = encoder(562, 762, "RGB", "JPEG")
_JPEG681 = encoder(681, 1024, "RGB", "JPEG")
_PNG48 = encoder(48, 48, "L", "PNG")


def jaffe(folder: Path, faces: Path, full: bool = False) -> Path:
    """`KA.AN1.39.tiff`, flat: 213 images of ten people, or one of each expression of three."""
    persons, shelf, number = people(faces), Shelf(), 0
    names = JAFFE_PEOPLE if full else JAFFE_PEOPLE[:3]
    for code, (label, count) in JAFFE_CODES.items():
        for k in range(count if full else len(names)):
            number += 1
            who = k % len(names)
            take = k // len(names) + 1
            source = course(faces, persons[who % len(persons)], label, 2)[-1]
            shelf.put(folder / f"{names[who]}.{code}{take}.{number}.tiff", source, _TIFF256)
    return folder


def kdef(folder: Path, faces: Path, full: bool = False) -> Path:
    """`KDEF/AF01/AF01ANS.JPG`: 70 people in two sessions from five angles, or two people. One
    rendered view stands for all angles."""
    persons, shelf = people(faces), Shelf()
    for number in range(1, (35 if full else 1) + 1):
        for sex in "FM":
            who = persons[(2 * number + (sex == "M")) % len(persons)]
            for session in "AB":
                for code, label in KDEF_CODES.items():
                    source = course(faces, who, label, 2)[-1]
                    for angle in ("FL", "HL", "S", "HR", "FR"):
                        home = f"{session}{sex}{number:02d}"
                        place = folder / "KDEF" / home / f"{home}{code}{angle}.JPG"
                        shelf.put(place, source, _JPEG562)
    return folder


def rafd(folder: Path, faces: Path, full: bool = False) -> Path:
    """`Rafd090_01_Caucasian_female_angry_frontal.jpg`, flat: 67 people, or two. One rendered view
    stands for all cameras and gazes."""
    persons, shelf = people(faces), Shelf()
    # The numbers go to 73, and six are missing.
    numbers = [n for n in range(1, 74) if n not in (13, 17, 34, 62, 66, 72)] if full else [1, 5]
    for index, number in enumerate(numbers):
        group, sex = (("Caucasian", "female"), ("Moroccan", "male"))[index % 2]
        for name, label in RAFD_NAMES.items():
            source = course(faces, persons[index % len(persons)], label, 2)[-1]
            for camera in ("000", "045", "090", "135", "180"):
                for gaze in ("frontal", "left", "right"):
                    file = f"Rafd{camera}_{number:02d}_{group}_{sex}_{name}_{gaze}.jpg"
                    shelf.put(folder / file, source, _JPEG681)
    return folder


def ckplus48(folder: Path, faces: Path, full: bool = False) -> Path:
    """`CK+48/anger/S010_004_00000017.png`: 327 sequences of 118 people, or one of each class and
    person of three; three frames each."""
    persons, shelf, count = people(faces), Shelf(), 118 if full else 3
    index = 0
    for name, images in CK48_IMAGES.items():
        label = "happiness" if name == "happy" else name
        for k in range(images // 3 if full else count):
            who = (index if full else k) % count
            frames = course(faces, persons[who % len(persons)], label, 3)
            for frame, source in enumerate(frames, start=15):
                file = f"S{who + 10:03d}_{index + 1:03d}_{frame:08d}.png"
                shelf.put(folder / "CK+48" / name / file, source, _PNG48)
            index += 1
    return folder
