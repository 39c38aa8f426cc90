"""MMI's layout in miniature: real films of rendered faces, and the XML files beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from pipelines.demo_faces import Pose, build_figure, load_head, perform, person, render

CODES = {"anger": 1, "disgust": 2, "fear": 3, "happiness": 4, "sadness": 5, "surprise": 6}
SEQUENCES, SUBJECTS = 205, 30
# Fields, as the database's own files have them, beside those that are read.
_SESSION_XML = """<?xml version="1.0" encoding="utf-8"?>
<session sessionId="{number}" xmlns="http://mmifacedb.eu/session">
  <subject id="{subject}" sex="F" />
  <track trackNumber="1" filename="{stem}.avi" view="{view}" emotion="" />
</session>
"""
_ANNOTATION_XML = """<?xml version="1.0" encoding="utf-8"?>
<FPML>
  <Metatag Name="Subject" Value="{subject}"/>
  {emotion}
  <ActionUnit Number="12"><Marker Frame="7" Type="4"/></ActionUnit>
</FPML>
"""


def write_film(path: Path, frames: Sequence[np.ndarray], codec: str = "mjpeg", **options) -> Path:
    """uint8 (H,W,3) RGB frames as a film, one for one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    settings = {"fps": 24, "quality": 8, "macro_block_size": 1, "codec": codec, **options}
    writer = imageio_ffmpeg.write_frames(str(path), (width, height), **settings)
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
    return path


def gray_frames(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Frame k is painted in the gray level 10 + 5·k."""
    return [np.full((height, width, 3), 10 + 5 * k, np.uint8) for k in range(count)]


def performance(
    seed: int, label: str, frames: int = 9, yaw: float = 0.0, size: int = 240
) -> list[np.ndarray]:
    """Neutral, peak, neutral again: `frames` pictures (size, size, 3) of one person."""
    figure = build_figure(load_head(), person(seed, 0))
    sequence = perform(figure.identity, label, np.random.default_rng(seed))
    times = 1 - np.abs(np.linspace(-1, 1, frames))
    return [render(figure, sequence.at(float(t)), Pose(yaw=yaw), size=size) for t in times]


def widened(frames: Sequence[np.ndarray], width: int = 320) -> list[np.ndarray]:
    """The frames with their borders repeated to left and right."""
    more = width - frames[0].shape[1]
    sides = ((0, 0), (more // 2, more - more // 2), (0, 0))
    return [np.pad(frame, sides, mode="edge") for frame in frames]


def beside(left: Sequence[np.ndarray], right: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Two views in one picture."""
    return [np.concatenate(pair, axis=1) for pair in zip(left, right, strict=True)]


def turned(frames: Sequence[np.ndarray], degrees: int) -> list[np.ndarray]:
    """The frames as a camera records them whose picture has to be turned by `degrees`
    counter-clockwise to stand upright."""
    return [np.rot90(frame, -degrees // 90) for frame in frames]


def add_session(
    root: Path,
    number: int,
    stem: str,
    film: Path | Sequence[np.ndarray] | None = None,
    emotion: int | str | None = 4,
    view: int | str | None = 0,
    annotation: bool = True,
) -> Path:
    """`Sessions/<number>/` under `root`: the film (linked where it is a file already, written
    where it is frames, empty where it is None) and its two XML files.

    emotion None: an annotation without that tag; view None: no session.xml.
    """
    folder = root / "Sessions" / str(number)
    folder.mkdir(parents=True)
    target = folder / f"{stem}.avi"
    if film is None:
        target.write_bytes(b"")
    elif isinstance(film, Path):
        os.link(film, target)
    else:
        write_film(target, film)
    subject = stem.split("-")[0]
    if view is not None:
        text = _SESSION_XML.format(number=number, subject=subject, stem=stem, view=view)
        (folder / "session.xml").write_text(text, encoding="utf-8")
    if annotation:
        tag = "" if emotion is None else f'<Metatag Name="Emotion" Value="{emotion}"/>'
        text = _ANNOTATION_XML.format(subject=subject, emotion=tag)
        (folder / f"{stem}.xml").write_text(text, encoding="utf-8")
    return folder


def full_counts(root: Path, film: Path) -> Path:
    """205 sessions of 30 subjects and six emotions, every one with this film."""
    for k in range(SEQUENCES):
        subject, take = k % SUBJECTS + 1, k // SUBJECTS + 1
        add_session(root, 1000 + k, f"S{subject:03d}-{take:03d}", film, emotion=k % 6 + 1)
    return root


def odd_edition(root: Path) -> Path:
    """Three good sessions (one of two views, one on its side) among everything that occurs."""
    face = performance(31, "happiness")
    profile = performance(31, "happiness", yaw=75)
    other = performance(32, "surprise")
    add_session(root, 101, "S001-001", widened(face), CODES["happiness"])
    add_session(root, 102, "S001-002", beside(profile, face), CODES["happiness"], view=2)
    add_session(root, 103, "S002-001", turned(widened(other), 90), CODES["surprise"])
    add_session(root, 104, "S002-002", gray_frames(3), CODES["surprise"], view=1)
    add_session(root, 105, "S002-003", gray_frames(3), emotion=9)
    add_session(root, 106, "S003-001", gray_frames(3), emotion=None)
    add_session(root, 107, "S003-002", gray_frames(3), view=None)
    add_session(root, 108, "S003-003", gray_frames(3), annotation=False)
    (add_session(root, 109, "S003-004") / "S003-004.avi").unlink()
    (add_session(root, 110, "S003-005") / "S003-005.xml").write_text("<FPML><Metatag ")
    (root / "Sessions" / "111").mkdir()
    (root / "Sessions" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    return root
