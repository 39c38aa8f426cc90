"""The MMI Facial Expression Database: a folder for each session, with film and annotation."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from pipelines.common.errors import BadUse
from pipelines.common.files import Location, location
from pipelines.common.records import Finding, Reject
from pipelines.databases.base import Database, Option, Sample, input_folder, shown
from pipelines.databases.mmi_peaks import CLASSES, Peak, label_of, peak_notes, peak_of, read_peaks
from pipelines.databases.sequences import Walk, counted
from pipelines.media.films import Film, looks_like_film

EXPECTED_SEQUENCES, EXPECTED_SUBJECTS = 205, 30
# Far above any session's annotation, frame by frame as some are.
MAX_XML_BYTES = 2**24
OPTIONS = (
    Option(
        "peaks",
        "CSV session,frame[,label,orientation]; without it the middle frame is the peak",
        {"type": location, "metavar": "FILE"},
    ),
)

_LAYOUT = (
    "the MMI folder, with Sessions/<n>/ and in each session.xml, Sxxx-yyy.avi and Sxxx-yyy.xml"
)
_SESSIONS = re.compile("sessions", re.IGNORECASE)
_NUMBER = re.compile("[0-9]+")
# Whether the image holds two views side by side, by the track's view.
_USABLE = {"0": False, "2": True}


class _Refused(Exception):
    """Why a session that belongs to the protocol cannot be used; it becomes a reject."""


class _LeftOut(Exception):
    """Why a session is not part of the protocol; such sessions are counted in a note."""


@dataclass(frozen=True)
class _Clip:
    """One usable film; halves: it shows two views side by side; peak: its row of the CSV."""

    film: Path
    label: int
    halves: bool
    peak: Peak | None


def read(path: Path, peaks: Location | None = None) -> Database:
    """`Sessions/<n>/` with `session.xml`, `Sxxx-yyy.avi` and `Sxxx-yyy.xml`, or that folder.

    A session's class is its Metatag "Emotion", its subject what the film's name has before
    the "-". Sessions without one of the six emotions, or seen from the side (view 1), are
    left out and counted. A film gives three samples, `Sxxx-yyy_0` to `_2`: the peak and its
    two neighbours, all of which train, while the peak alone (`_1`) is tested.

    peaks: a CSV `session,frame[,label,orientation]`. session is the folder's or the
    film's name; frame the peak's number, counted from 0; label one of the classes or codes 1
    to 6, instead of the session's own; orientation the degrees counter-clockwise, 0, 90, 180
    or 270, by which the image has to be turned, instead of a search. Without a row the
    film's middle frame is the peak. No film is decoded here. Raises `BadUse` for a wrong folder
    or CSV.
    """
    walk = Walk(input_folder(path, _LAYOUT))
    rows = read_peaks(peaks) if peaks else {}
    folders = _folders(walk)
    if not folders:
        raise BadUse(f"{path} has no session with an .avi or .xml in it; --input takes {_LAYOUT}")
    clips: list[_Clip] = []
    rejects: list[Reject] = []
    left_out: dict[str, list[str]] = defaultdict(list)
    names_here: set[str] = set()
    for folder, files in folders:
        for film in [item for item in files if looks_like_film(item)] or [None]:
            name = film.stem if film else _stem(files) or folder.name
            names_here |= {name.lower(), folder.name.lower()}
            peak = peak_of(rows, folder.name, film.stem if film else None)
            try:
                clips.append(_clip(film, files, peak))
            except _LeftOut as reason:
                left_out[str(reason)].append(name)
            except _Refused as reason:
                source = shown((film or folder).relative_to(walk.root).as_posix())
                name = shown(name)
                rejects.append(Reject(name, source, "", _subject(name), str(reason)))
    notes = [
        f"left out, {reason}: {counted(names, 'sequence')}"
        for reason, names in sorted(left_out.items())
    ]
    if not clips:
        reasons = [*notes, *(f"{each.source}: {each.reason}" for each in rejects[:1])]
        raise BadUse(f"{path} has {len(folders)} sessions and none to use; {'; '.join(reasons)}")
    notes += walk.notes()
    notes += peak_notes(peaks, rows, {clip.film.stem: clip.peak for clip in clips}, names_here)
    return Database(
        "mmi",
        CLASSES,
        [sample for clip in clips for sample in _samples(clip)],
        channels=3,
        root=walk.root,
        folds=10,
        findings=_findings(clips),
        notes=notes,
        rejects=rejects,
    )


def _folders(walk: Walk) -> list[tuple[Path, list[Path]]]:
    """The session folders and their files; `Sessions` may lie deeper, or be the root."""
    found = []
    for base in walk.find(_SESSIONS, shut=_NUMBER, depth=3) or [walk.root]:
        for folder in walk.entries(base):
            files = walk.entries(folder) if walk.is_folder(folder) else []
            files = [item for item in files if walk.is_file(item)]
            if any(looks_like_film(item) or item.suffix.lower() == ".xml" for item in files):
                found.append((folder, files))
            else:
                walk.strays.add(folder)
    return found


def _clip(film: Path | None, files: list[Path], peak: Peak | None) -> _Clip:
    """The session's film if it is to be used, else `_LeftOut` or `_Refused` with the reason."""
    texts = {item.name.lower(): item for item in files if item.suffix.lower() == ".xml"}
    session = texts.pop("session.xml", None)
    label = peak.label if peak and peak.label is not None else _emotion(film, texts, session)
    if session is None:
        raise _Refused("no session.xml lies beside it, so its view is not known")
    view = _view(film, session)
    if view == "1":
        raise _LeftOut("seen from the side (view 1)")
    if view not in _USABLE:
        raise _Refused(f"its view in session.xml is {view[:40]!r}, none of 0, 1 and 2")
    if film is None:
        raise _Refused("the session has no film")
    if not _subject(film.stem):
        raise _Refused("its name is not <subject>-<number>, so its subject is not known")
    return _Clip(film, label, _USABLE[view], peak)


def _emotion(film: Path | None, texts: dict[str, Path], session: Path | None) -> int:
    """The label in the film's own XML file, else in the only other one, else in session.xml."""
    own = texts.get(f"{film.stem}.xml".lower()) if film else None
    if own is None and len(texts) == 1:
        own = next(iter(texts.values()))
    if own is None and not session:
        raise _Refused("no XML file with its emotion lies beside it")
    values: set[str] = set()
    for file in (own, session):
        if file and not values:
            tags = [tag for name, tag in _elements(file) if name == "metatag"]
            values = {
                tag.get("value", "").strip()
                for tag in tags
                if tag.get("name", "").strip().lower() == "emotion"
            }
    if len(values) > 1:
        raise _Refused(f"it is given several emotions: {', '.join(sorted(values))[:80]}")
    if not values and own is None:
        raise _Refused("no XML file with its emotion lies beside it")
    value = "".join(values)[:40]
    label = label_of(value)
    if label is None:
        raise _LeftOut(f"its emotion is {value!r}, none of 1 to 6" if value else "no emotion given")
    return label


def _view(film: Path | None, session: Path) -> str:
    """The view of the film's track, or of the only track, whatever file that names."""
    tracks = [tag for name, tag in _elements(session) if name == "track"]
    named = [
        tag
        for tag in tracks
        if film and re.split(r"[\\/]", tag.get("filename", ""))[-1].lower() == film.name.lower()
    ]
    views = {tag.get("view", "").strip() for tag in (named or tracks)}
    if len(views) != 1:
        raise _Refused(
            "session.xml has no track" if not views else "session.xml does not name its track"
        )
    return views.pop()


def _elements(file: Path) -> list[tuple[str, dict[str, str]]]:
    """The tracks and metatags of an XML file: names without namespace and in lower case.

    Entities are refused where they are declared: a few lines of them can expand to gigabytes.
    """
    found: list[tuple[str, dict[str, str]]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2].lower()
        if local in ("track", "metatag"):
            values = {key.rpartition(":")[2].lower(): value for key, value in attributes.items()}
            found.append((local, values))

    def entity(*_: object) -> None:
        raise _Refused(f"{file.name} declares entities, which no session needs")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EntityDeclHandler = entity
    try:
        if file.stat().st_size > MAX_XML_BYTES:
            raise _Refused(f"{file.name} is larger than {MAX_XML_BYTES:,} bytes")
        parser.Parse(file.read_bytes(), True)
    except expat.ExpatError as error:
        raise _Refused(f"{file.name} is not sound XML: {error}") from error
    except (OSError, ValueError, LookupError) as error:
        # expat reports an encoding that it does not know as ValueError or LookupError.
        raise _Refused(f"{file.name} cannot be read: {error}") from error
    return found


def _stem(files: list[Path]) -> str:
    """The stem of a session's missing film, by its annotation; "" if unknown."""
    stems = [file.stem for file in files if file.name.lower() != "session.xml"]
    return stems[0] if len(stems) == 1 else ""


def _subject(name: str) -> str:
    """`S001` of `S001-002`; "" where the name has no hyphen."""
    return name.partition("-")[0].upper() if "-" in name else ""


def _samples(clip: _Clip) -> Iterable[Sample]:
    peak = clip.peak
    for offset in (-1, 0, 1):
        yield Sample(
            key=f"{clip.film.stem}_{offset + 1}",
            label=clip.label,
            subject=_subject(clip.film.stem),
            path=str(clip.film),
            film=Film(
                peak=peak.frame if peak else None,
                offset=offset,
                halves=clip.halves,
                turn=peak.turn if peak else None,
            ),
            test=offset == 0,
        )


def _findings(clips: list[_Clip]) -> list[Finding]:
    by_class = Counter(clip.label for clip in clips)
    subjects = {_subject(clip.film.stem) for clip in clips}
    return [
        Finding("sequences", len(clips), EXPECTED_SEQUENCES),
        Finding("subjects", len(subjects), EXPECTED_SUBJECTS),
        *(Finding(f"{name} sequences", by_class[k]) for k, name in enumerate(CLASSES)),
    ]
