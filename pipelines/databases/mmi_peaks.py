"""MMI's classes, and the CSV with the peak frame of each film."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.databases.base import listed_names
from pipelines.databases.tables import Row, read_table
from pipelines.media.films import looks_like_film

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
_TURNS = (0, 90, 180, 270)


@dataclass(frozen=True)
class Peak:
    """One row: the peak's frame, and what overrides the session's own files (None: nothing).

    name: the session's name in the CSV, in lower case. label: index into `CLASSES`. turn:
    degrees counter-clockwise by which the image has to be turned.
    """

    name: str
    frame: int
    label: int | None
    turn: int | None
    row: Row


def label_of(text: str) -> int | None:
    """The index into `CLASSES` of a class's name or of a code 1…6; None for anything else."""
    if text.lower() in CLASSES:
        return CLASSES.index(text.lower())
    code = re.fullmatch(r"0*([1-6])(\.0*)?", text)
    return int(code[1]) - 1 if code else None


def read_peaks(table: Path) -> dict[str, Peak]:
    """The rows of a CSV `session,frame[,label,orientation]` by `Peak.name`.

    session is the folder's or the film's name; frame is counted from 0; label is a class or
    its code, 1 to 6; orientation is 0, 90, 180 or 270. Raises `BadUse`, naming file and line,
    for anything else and for a session that has two rows.
    """
    if not table.is_file():
        raise BadUse(f"{table}, the CSV of peak frames, is not a file")
    peaks: dict[str, Peak] = {}
    for row in read_table(table, ("session", "frame")):
        where = f"{table}, line {row.line}"
        name = row["session"].lower()
        if looks_like_film(Path(name)):
            name = name.rpartition(".")[0]
        if not name:
            raise BadUse(f"{where}: session is empty; it is the folder's or the film's name")
        if name in peaks:
            raise BadUse(
                f"{where}: the session {row['session']!r} has a row already, in line "
                f"{peaks[name].row.line}; keep one"
            )
        frame = row.integer("frame")
        if frame < 0:
            raise BadUse(f"{where}: frame is {frame}; frames are counted from 0")
        label = label_of(row["label"])
        if row["label"] and label is None:
            raise BadUse(
                f"{where}: label is {row['label']!r}; it is one of {', '.join(CLASSES)}, or 1 to 6"
            )
        turn = row.integer("orientation") if row["orientation"] else None
        if turn not in (None, *_TURNS):
            raise BadUse(
                f"{where}: orientation is {turn}; it is 0, 90, 180 or 270, the degrees "
                "counter-clockwise by which the image has to be turned"
            )
        peaks[name] = Peak(name, frame, label, turn, row)
    return peaks


def peak_of(peaks: dict[str, Peak], session: str, film: str | None) -> Peak | None:
    """The row of a session's folder or of its film's stem; `BadUse` if each has its own."""
    by_folder = peaks.get(session.lower())
    by_film = peaks.get(film.lower()) if film else None
    if by_folder and by_film and by_folder is not by_film:
        lines = sorted((by_folder.row.line, by_film.row.line))
        raise BadUse(
            f"{by_film.row.table}, lines {lines[0]} and {lines[1]}: {session} and {film} are one "
            "session; keep one"
        )
    return by_film or by_folder


def peak_notes(
    table: Path | None,
    peaks: dict[str, Peak],
    clips: dict[str, Peak | None],
    here: Collection[str],
) -> list[str]:
    """Notes on films whose peak is the middle frame, and on rows without effect.

    clips: the used films' stems with their rows. here: the names of all sessions and films
    found, in lower case. Raises `BadUse` for a row that two used films would share.
    """
    served: dict[str, str] = {}
    for stem, peak in clips.items():
        if peak and served.setdefault(peak.name, stem) != stem:
            raise BadUse(
                f"{table}, line {peak.row.line}: the session {peak.row['session']} has several "
                f"films, {served[peak.name]} and {stem}; name the film"
            )
    notes = []
    automatic = [stem for stem, peak in clips.items() if peak is None]
    if automatic:
        names = f": {listed_names(automatic)}" if table else ""
        notes.append(
            f"{len(automatic)} of {len(clips)} peaks are the middle frame, chosen automatically, "
            f"where the paper's were picked by hand{names}"
        )
    unknown = [peak for peak in peaks.values() if peak.name not in here]
    idle = [peak for peak in peaks.values() if peak.name in here and peak.name not in served]
    if unknown:
        notes.append(f"{_rows(unknown, peaks, table)} name no session here")
    if idle:
        notes.append(f"{_rows(idle, peaks, table)} name a session that is not used")
    relabelled = [peak for peak in peaks.values() if peak.name in served and peak.label is not None]
    if relabelled:
        notes.append(f"{_rows(relabelled, peaks, table)} set the class themselves")
    return notes


def _rows(some: Iterable[Peak], peaks: dict[str, Peak], table: Path | None) -> str:
    names = [peak.row["session"] for peak in some]
    of = f" of {table.name}" if table else ""
    return f"{len(names)} of the {len(peaks)} rows{of} ({listed_names(names)})"
