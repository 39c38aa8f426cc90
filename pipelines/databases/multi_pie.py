"""CMU Multi-PIE: six expressions from five cameras, recorded in up to four sessions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.common.errors import BadUse
from pipelines.common.records import Finding, Reject
from pipelines.databases.base import Database, Option, Sample, input_folder, listed_names
from pipelines.databases.sequences import Walk, distinct, only_one, relative
from pipelines.media.images import looks_like_image

CLASSES = ("neutral", "disgust", "surprise", "smile", "scream", "squint")
FOLDS = 5
# What was shown, by session and recording.
EXPRESSIONS = {
    (1, 1): "neutral",
    (1, 2): "smile",
    (2, 1): "neutral",
    (2, 2): "surprise",
    (2, 3): "squint",
    (3, 1): "neutral",
    (3, 2): "smile",
    (3, 3): "disgust",
    (4, 1): "neutral",
    (4, 2): "neutral",
    (4, 3): "scream",
}
# Degrees by camera. The sign could not be confirmed: the option yaw_sign turns it.
YAWS = {"13_0": -30, "14_0": -15, "05_1": 0, "05_0": 15, "04_1": 30}
EXPECTED_SUBJECTS = 337
EXPECTED_BY_CLASS = {
    "neutral": 337,
    "disgust": 230,
    "surprise": 203,
    "smile": 319,
    "scream": 239,
    "squint": 203,
}
EXPECTED_A_POSE = sum(EXPECTED_BY_CLASS.values())
OPTIONS = (
    Option(
        "shot",
        "number of the flash, 0 to 19 (7, the frontal one)",
        {"type": int, "choices": range(20), "metavar": "N"},
    ),
    Option(
        "session",
        "which of several sessions of one expression counts (earliest)",
        {"choices": ("earliest", "latest")},
    ),
    Option(
        "yaw_sign",
        "1, or -1 where the cameras' angles count the other way",
        {"type": int, "choices": (1, -1)},
    ),
)

_LAYOUT = (
    "a folder with Multi-PIE's session01/multiview/001/01/05_1/001_01_01_051_07.png and the "
    "other sessions in it"
)
_SESSION = re.compile(r"session([0-9]{2})", re.IGNORECASE)
_SUBJECT = re.compile(r"[0-9]{3}")
_RECORDING = re.compile(r"[0-9]{2}")
_CAMERA = re.compile(r"[0-9]{2}_[0-9]")
_OTHER_RECORDINGS = "other recordings, not used, by their folders"
_OTHER_CAMERAS = "other cameras, not used, by their folders"
_NO_CAMERA = "cameras that have no folder in a recording"


@dataclass(frozen=True)
class _View:
    """A camera's folder of one recording, and its image of the chosen shot, if it has one."""

    subject: str
    session: int
    recording: int
    camera: str
    folder: Path
    image: Path | None

    @property
    def wanted(self) -> tuple[str, str, str]:
        """Subject, expression and camera; one image of each combination is taken."""
        return self.subject, EXPRESSIONS[self.session, self.recording], self.camera


def read(
    path: Path,
    shot: int = 7,
    session: Literal["earliest", "latest"] = "earliest",
    yaw_sign: Literal[1, -1] = 1,
) -> Database:
    """`session01/multiview/<subject>/<recording>/<camera>/*_<shot>.png` at any depth.

    One image of each subject and expression from each of five cameras, with the flash `shot`,
    0 to 19. Where several recordings show the same, `session` selects among those that have
    the image; a subject and expression without it in any session is rejected. yaw_sign: the
    direction in which a camera's angle counts. Raises `BadUse` where no session can be found.
    """
    if shot not in range(20):
        raise BadUse(f"--shot {shot} is not a flash of Multi-PIE; they are 0 to 19")
    root = input_folder(path, _LAYOUT)
    walk = Walk(root)
    views, counts = _views(walk, _sessions(walk), shot)
    candidates: dict[tuple[str, str, str], list[_View]] = defaultdict(list)
    for view in views:
        candidates[view.wanted].append(view)
    samples, rejects, others, instead = [], [], Counter(), []
    for (subject, expression, camera), recorded in sorted(candidates.items()):
        recorded.sort(key=lambda view: (view.session, view.recording))
        if session == "latest":
            recorded.reverse()
        usable = [view for view in recorded if view.image is not None]
        if not usable:
            source = relative(recorded[0].folder, root)
            reason = f"has no image of shot {shot:02d}"
            key = f"{subject}_{expression}_{camera}"
            rejects.append(Reject(key, source, expression, subject, reason))
            continue
        chosen = usable[0]
        others[expression] += len(usable) - 1
        if chosen is not recorded[0]:
            instead.append(f"{subject}_{expression}_{camera}")
        samples.append(_sample(chosen, yaw_sign))
    if not samples:
        raise BadUse(
            f"{root} holds no image of shot {shot:02d} from the cameras "
            f"{', '.join(YAWS)}; --input takes {_LAYOUT}"
        )
    return Database(
        "multi_pie",
        CLASSES,
        samples,
        channels=3,
        root=root,
        folds=FOLDS,
        findings=_findings(samples, yaw_sign),
        notes=[
            "the 270 subjects of the paper do not fit its 1531 images a pose, which need the 337 "
            "people of the whole database",
            f"assumed, for want of a description: shot {shot:02d} is the frontal flash and camera "
            f"13_0 looks from {_degrees(YAWS['13_0'], yaw_sign)} (--shot, --yaw-sign)",
            *_selection_notes(f"shot {shot:02d}", session, others, instead, len(rejects)),
            *(f"{what}: {listed_names(some.elements())}" for what, some in counts.items() if some),
            *walk.notes(),
        ],
        rejects=rejects,
    )


def _sessions(walk: Walk) -> list[Path]:
    """The sessions' folders, all of them in the same one."""
    found = distinct(walk.find(_SESSION, _SUBJECT))
    if not found:
        only = " is one session or part of it" if "multiview" in _names(walk) else ""
        raise BadUse(
            f"{walk.root}{only or ' holds no session01 and the like'}; --input takes {_LAYOUT}"
        )
    holder = only_one(distinct([folder.parent for folder in found]), walk.root)
    return [folder for folder in found if folder.parent == holder]


def _names(walk: Walk) -> set[str]:
    return {walk.root.name, *(entry.name for entry in walk.entries(walk.root))}


def _views(walk: Walk, sessions: list[Path], shot: int) -> tuple[list[_View], dict[str, Counter]]:
    """The views of the five cameras, and the counts of other and of missing folders by name."""
    views: list[_View] = []
    counts: dict[str, Counter] = defaultdict(Counter)
    for folder in sessions:
        session = int(_SESSION.fullmatch(folder.name)[1])
        for multiview in (
            e for e in walk.entries(folder) if e.name == "multiview" and walk.is_folder(e)
        ):
            for subject in walk.folders(multiview, _SUBJECT):
                for recording in walk.folders(subject, _RECORDING):
                    if (session, int(recording.name)) not in EXPRESSIONS:
                        counts[_OTHER_RECORDINGS][f"{folder.name}/{recording.name}"] += 1
                        continue
                    cameras = {camera.name: camera for camera in walk.folders(recording, _CAMERA)}
                    views += [
                        _view(walk, session, cameras[name], shot)
                        for name in YAWS
                        if name in cameras
                    ]
                    counts[_OTHER_CAMERAS].update(cameras.keys() - YAWS.keys())
                    counts[_NO_CAMERA].update(YAWS.keys() - cameras.keys())
    return views, counts


def _view(walk: Walk, session: int, folder: Path, shot: int) -> _View:
    recording, subject = folder.parent.name, folder.parent.parent.name
    camera = folder.name.replace("_", "")
    start = f"{subject}_{session:02d}_{recording}_{camera}_"
    image = None
    for entry in walk.entries(folder):
        number = entry.stem.removeprefix(start)
        named = entry.stem.startswith(start) and len(number) == 2 and number.isdecimal()
        if not named or not looks_like_image(entry.name):
            walk.strays.add(entry)
        elif int(number) == shot and image is None and walk.is_file(entry):
            image = entry
    return _View(subject, session, int(recording), folder.name, folder, image)


def _sample(view: _View, yaw_sign: int) -> Sample:
    return Sample(
        key=view.image.stem,
        label=CLASSES.index(view.wanted[1]),
        subject=view.subject,
        path=str(view.image),
        yaw=float(YAWS[view.camera] * yaw_sign),
    )


def _degrees(yaw: int, sign: int) -> str:
    return f"{yaw * sign:+d}°" if yaw else "0°"


def _findings(samples: list[Sample], yaw_sign: int) -> list[Finding]:
    by_pose = Counter(sample.yaw for sample in samples)
    people = Counter(CLASSES[label] for label, _ in {(s.label, s.subject) for s in samples})
    return [
        Finding("subjects", len({sample.subject for sample in samples}), EXPECTED_SUBJECTS),
        Finding("images", len(samples), EXPECTED_A_POSE * len(YAWS)),
        *(Finding(f"subjects, {name}", people[name], EXPECTED_BY_CLASS[name]) for name in CLASSES),
        *(
            Finding(
                f"images, camera {camera} ({_degrees(yaw, yaw_sign)})",
                by_pose[float(yaw * yaw_sign)],
                EXPECTED_A_POSE,
            )
            for camera, yaw in YAWS.items()
        ),
    ]


def _selection_notes(
    shot: str, session: str, others: Counter, instead: list[str], rejected: int
) -> list[str]:
    notes = []
    repeated = +others
    if repeated:
        by_class = ", ".join(f"{name} {count}" for name, count in sorted(repeated.items()))
        notes.append(
            f"recorded again, and only the {session} taken: {repeated.total()} images "
            f"left out ({by_class})"
        )
    if instead:
        notes.append(
            f"taken from another recording, for want of {shot} in the {session}: "
            + listed_names(instead)
        )
    if rejected:
        notes.append(f"no image of {shot} in any session: {rejected}, rejected")
    return notes
