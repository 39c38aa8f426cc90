"""Multi-PIE in miniature: `data/session01/multiview/001/01/05_1/001_01_01_051_07.png`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.miniatures import Shelf, course, do, encoder, litter, outside, people, replace

CAMERAS = ("13_0", "14_0", "05_1", "05_0", "04_1")
SUBJECTS = 337
# By session: who of the 337 came, so that 319 were in the first or third session, where they
# smiled, and everybody in some; and what was shown, by recording, as demo faces can show it.
ATTENDANCE = {1: range(249), 2: range(203), 3: range(89, 319), 4: range(98, 337)}
SHOWN = {
    1: {"01": "neutral", "02": "happiness"},
    2: {"01": "neutral", "02": "surprise", "03": "anger"},
    3: {"01": "neutral", "02": "happiness", "03": "disgust"},
    4: {"01": "neutral", "02": "neutral", "03": "fear"},
}
# What a person who came once only for each expression was recorded in.
ONCE = {(1, "01"), (1, "02"), (2, "02"), (2, "03"), (3, "03"), (4, "03")}

_PNG = encoder(640, 480, "RGB", "PNG")


def build(folder: Path, faces: Path, full: bool = False, oddities: Iterable[str] = ()) -> Path:
    """Writes the database into `folder`, with shot 07: 337 people in up to four sessions
    (full), or up to four people, each expression recorded once."""
    persons = people(faces)
    names = [number for number in range(1, 347) if number % 38][:SUBJECTS]
    shelf = Shelf()
    for session, shown in SHOWN.items():
        for recording, label in shown.items():
            if not full and (session, recording) not in ONCE:
                continue
            for index in ATTENDANCE[session] if full else range(min(4, len(persons))):
                source = course(faces, persons[index % len(persons)], label, 1 + 1)[-1]
                for camera in CAMERAS:
                    view = folder / place(f"{names[index]:03d}", session, recording, camera)
                    shelf.put(view / shot(view, 7), source, _PNG)
    apply(folder, oddities)
    return folder


def apply(folder: Path, oddities: Iterable[str]) -> None:
    """Does the named `ODDITIES` to a miniature."""
    do(ODDITIES, folder, oddities)


def place(subject: str, session: int, recording: str, camera: str) -> Path:
    """A camera's folder of one recording, below the root."""
    return Path("data", f"session{session:02d}", "multiview", subject, recording, camera)


def shot(view: Path, number: int) -> str:
    """The name of a picture in a camera's folder."""
    session, _, subject, recording, camera = view.parts[-5:]
    return f"{subject}_{session[-2:]}_{recording}_{camera.replace('_', '')}_{number:02d}.png"


def _views(folder: Path, subject: str, session: int, recording: str) -> Iterator[Path]:
    for camera in CAMERAS:
        yield folder / place(subject, session, recording, camera)


def _again(folder: Path, session: int, recording: str, other: int, as_recording: str) -> None:
    """The first person's recording once more, in another session."""
    for view in _views(folder, "001", session, recording):
        target = folder / place("001", other, as_recording, view.name)
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(view / shot(view, 7), target / shot(target, 7))


def _double_session(folder: Path) -> None:
    _again(folder, 1, "01", 2, "01")
    _again(folder, 1, "01", 4, "02")
    _again(folder, 1, "02", 3, "02")


def _wrong_shot(folder: Path) -> None:
    """The second person's surprise was recorded with another flash only."""
    for view in _views(folder, "002", 2, "02"):
        (view / shot(view, 7)).rename(view / shot(view, 6))


def _first_without_shot(folder: Path) -> None:
    """The first person's first smile has another flash, a later one the right one."""
    _again(folder, 1, "02", 3, "02")
    for view in _views(folder, "001", 1, "02"):
        (view / shot(view, 7)).rename(view / shot(view, 6))


def _other_shots(folder: Path) -> None:
    for view in _views(folder, "001", 1, "01"):
        for number in (0, 6, 8, 19):
            shutil.copy(view / shot(view, 7), view / shot(view, number))


def _other_cameras(folder: Path) -> None:
    for camera in ("08_1", "19_0"):
        view = folder / place("001", 1, "01", camera)
        replace(view / shot(view, 7), b"another camera")


def _other_recording(folder: Path) -> None:
    view = folder / place("001", 1, "07", "05_1")
    replace(view / shot(view, 7), b"another recording")


def _misnamed(folder: Path) -> None:
    view = folder / place("001", 1, "01", "05_1")
    replace(view / "001_02_01_051_07.png", b"another session's name")


def _link_out(folder: Path) -> None:
    view = folder / place("001", 1, "01", "05_1")
    (view / shot(view, 7)).unlink()
    (view / shot(view, 7)).symlink_to(outside(folder) / "secret.png")


def _flat(folder: Path) -> None:
    for session in sorted((folder / "data").iterdir()):
        session.rename(folder / session.name)
    (folder / "data").rmdir()


ODDITIES = {
    "double_session": _double_session,
    "wrong_shot": _wrong_shot,
    "first_without_shot": _first_without_shot,
    "other_shots": _other_shots,
    "other_cameras": _other_cameras,
    "other_recording": _other_recording,
    "missing_pose": lambda folder: shutil.rmtree(folder / place("001", 1, "02", "13_0")),
    "misnamed": _misnamed,
    "highres": lambda folder: replace(
        folder / "data/session01/highres/001/01/001_01_01.png", b"another kind"
    ),
    "ds_store": lambda folder: litter(
        folder, folder / "data", folder / place("001", 1, "01", "05_1")
    ),
    "link_out": _link_out,
    "flat": _flat,
}
