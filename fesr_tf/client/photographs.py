"""Photographs, films and folders of them: classifies every face, writes copies and results."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fesr_tf.client import errors, tables
from fesr_tf.client.session import Client
from fesr_tf.client.sources import Item, Job, LeftOut, counts_by_reason
from fesr_tf.client.tables import Face, Photograph
from fesr_tf.client.video import Written
from fesr_tf.plots import annotations, image_grids
from pipelines.common.errors import FailedWork, FesrError, plain
from pipelines.common.files import write_whole
from pipelines.common.text import table
from pipelines.media.annotated import copy_name
from pipelines.media.ffmpeg import UnreadableFilm

# An error of one film; any other is the server's or the model's.
_OF_A_FILM = (UnreadableFilm, errors.Unwritable, *errors.PER_IMAGE)


class Entry(NamedTuple):
    """The result for one photograph or film: its faces and annotated copy, what was written for a
    film, or its error."""

    path: Path
    faces: tuple[Face, ...] = ()
    copy: Path | None = None
    error: FesrError | None = None
    film: Written | None = None


@dataclass
class Outcome:
    """The results so far, the files left out, and the error that stopped the work early."""

    left_out: Sequence[LeftOut] = ()
    entries: list[Entry] = field(default_factory=list)
    stopped: FesrError | None = None

    @property
    def failures(self) -> list[Entry]:
        """The entries with an error."""
        return [entry for entry in self.entries if entry.error is not None]

    @property
    def photos(self) -> list[Entry]:
        """The photographs without an error."""
        return [entry for entry in self.entries if entry.error is None and entry.film is None]

    @property
    def films(self) -> list[Entry]:
        """The films without an error."""
        return [entry for entry in self.entries if entry.film is not None]

    def counts(self) -> dict[str, int]:
        """The number of files, and of those classified, failed and left out, which add up to it
        unless the work stopped early."""
        parts = {
            "images": len(self.photos),
            "films": len(self.films),
            "failed": len(self.failures),
            "left_out": len(self.left_out),
        }
        return {"files": sum(parts.values()), **parts}


def classify(
    client: Client,
    job: Job,
    film: Callable[[Path, Path], Written],
    show: Callable[[str], None],
    ticks: Callable[[], object],
) -> Outcome:
    """Classifies the faces of every photograph, then of every film. An error in one is recorded and
    the others go on; an error of the server or the model is `stopped`, and earlier results stay.

    film: classifies a film and writes its annotated copy to a path; show: takes each result's text
    for a terminal; ticks: called once per file.
    """
    outcome = Outcome(job.left_out)
    taken = {item.path.resolve() for item in (*job.images, *job.films)}
    try:
        photos = client.each(item.path for item in job.images)
        for (path, folder), photo in zip(job.images, photos, strict=True):
            outcome.entries.append(_photograph(client, path, folder, photo, taken, show))
            ticks()
        for item in job.films:
            outcome.entries.append(_film(item, film, taken, show))
            ticks()
    except FesrError as error:
        outcome.stopped = error
    return outcome


def _photograph(
    client: Client,
    path: Path,
    folder: Path,
    photo: Photograph,
    taken: set[Path],
    show: Callable[[str], None],
) -> Entry:
    try:
        copy = _annotated(client, path, folder, photo, taken)
    except FesrError as error:
        return Entry(path, error=error)
    count = len(photo.faces)
    show(
        f"{plain(str(path))}: {count} face{'s' * (count > 1)}, annotated copy "
        f"{plain(str(copy))}\n{tables.text(photo.faces, client.classes)}"
    )
    return Entry(path, photo.faces, copy)


def _film(
    item: Item,
    film: Callable[[Path, Path], Written],
    taken: set[Path],
    show: Callable[[str], None],
) -> Entry:
    path, folder = item
    copy = annotated_path(path, folder, taken, ".mp4")
    try:
        written = film(path, copy)
    except _OF_A_FILM as error:
        return Entry(path, error=FailedWork(f"{path}: {error}"))
    taken.add(copy.resolve())
    show(
        f"{plain(str(path))}: {written.faces} faces in {written.with_face} of {written.frames} "
        f"frames, annotated {plain(str(written.film))}, table {plain(str(written.table))}"
    )
    return Entry(path, film=written)


def write_results(outcome: Outcome, client: Client, folder: Path) -> None:
    """Writes `faces.csv` and `faces.json` into `folder`: a row per face of a photograph, and one
    for each film, failure and file left out."""
    classes = client.classes if outcome.photos or outcome.films else ()
    rows = [tables.header(["photo"], classes, ["annotated", "error"])]
    for path, faces, copy, error, film in outcome.entries:
        first = [plain(str(path))]
        if error is not None:
            rows.append(tables.row(first, "", None, classes, ("", plain(str(error)))))
        if film is not None:
            rows.append(tables.row(first, "", None, classes, (plain(str(film.film)), "")))
        for number, face in enumerate(faces, 1):
            rows.append(tables.row(first, number, face, classes, (plain(str(copy)), "")))
    for path, reason in outcome.left_out:
        last = ("", f"left out: {plain(reason)}")
        rows.append(tables.row([plain(str(path))], "", None, classes, last))
    write(folder / "faces.csv", tables.as_csv(rows))
    write(folder / "faces.json", as_json(outcome, client))


def as_json(outcome: Outcome, client: Client) -> str:
    """The outcome as JSON."""
    photos = [
        {"photo": str(each.path), "faces": tables.as_json(each.faces), "annotated": str(each.copy)}
        for each in outcome.photos
    ]
    films = [
        {
            "film": str(path),
            "frames": film.frames,
            "frames_with_a_face": film.with_face,
            "faces": film.faces,
            "annotated": str(film.film),
            "table": str(film.table),
        }
        for path, _, _, _, film in outcome.films
    ]
    failures = [{"photo": str(each.path), "reason": str(each.error)} for each in outcome.failures]
    left_out = [{"path": str(path), "reason": reason} for path, reason in outcome.left_out]
    answer = {
        "model": client.where,
        "notes": client.notes,
        "counts": outcome.counts(),
        "photos": photos,
        "films": films,
        "failures": failures,
        "left_out": left_out,
    }
    return json.dumps(answer, indent=2) + "\n"


def summary(outcome: Outcome) -> str:
    """The counts of a folder's files as text, and those left out by reason."""
    counts = outcome.counts()
    line = (
        f"files: {counts['files']:,}; classified: {counts['images']:,} images, {counts['films']:,} "
        f"films; failed: {counts['failed']:,}; left out: {counts['left_out']:,}"
    )
    rows = counts_by_reason(outcome.left_out)
    return "\n".join([line, *([table(("files", "left out", "such as"), rows)] if rows else [])])


def raise_failures(outcome: Outcome, count: int) -> None:
    """Raises an error for the failures, if any; a single file's own error."""
    failures = outcome.failures
    if outcome.stopped is not None:
        if not outcome.entries:
            raise outcome.stopped
        done = f"{len(outcome.entries)} of {count} images and films"
        raise FailedWork(f"stopped after {done}: {outcome.stopped}")
    if failures and count == 1:
        raise failures[0].error
    if failures:
        reasons = "\n".join(f"  {entry.error}" for entry in failures)
        raise FailedWork(f"{len(failures)} of {count} images and films failed:\n{reasons}")


def _annotated(
    client: Client, path: Path, folder: Path, photo: Photograph, taken: set[Path]
) -> Path:
    """Writes the annotated copy and returns its path."""
    if photo.error is not None:
        named = str(path) in str(photo.error)
        raise photo.error if named else FailedWork(f"{path}: {photo.error}")
    if not photo.faces:
        raise FailedWork(
            f"{path}: no face found; a face must be some 40 pixels wide and not turned away"
        )
    copy = annotated_path(path, folder, taken)
    taken.add(copy.resolve())
    boxes = [face.box for face in photo.faces]
    shares = tables.shares(photo.faces, client.classes)
    write(copy, image_grids.png(annotations.annotate(photo.pixels, boxes, shares, client.classes)))
    return copy


def annotated_path(source: Path, folder: Path, taken: set[Path], suffix: str = ".png") -> Path:
    """The path of the annotated copy: `<name>.annotated.png`, numbered if that is in `taken`
    (resolved paths: the inputs themselves and the copies of this call)."""
    numbers = range(1, len(taken) + 2)
    paths = (folder / copy_name(source.stem, suffix, number) for number in numbers)
    return next(path for path in paths if path.resolve() not in taken)


def write(path: Path, data: bytes | str) -> None:
    """Writes a result atomically; raises `Unwritable` where it cannot be written."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise errors.Unwritable(path, error) from None
