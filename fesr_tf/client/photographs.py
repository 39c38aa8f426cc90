"""Photographs and folders of them: classifies every face, writes annotated copies and results."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fesr_tf.client import tables
from fesr_tf.client.session import Client
from fesr_tf.client.tables import Face, Photograph
from fesr_tf.plots import annotations, image_grids
from pipelines.common.errors import BadUse, FailedWork, FesrError, plain
from pipelines.common.files import write_whole
from pipelines.faces.alignment import NoFaceFound
from pipelines.media import images


@dataclass(frozen=True)
class Job:
    """The work to do: `photos`, as many `folders` for their annotated copies, and the folder of
    `faces.csv` and `faces.json`, None for neither."""

    photos: list[Path]
    folders: list[Path]
    results: Path | None


class Entry(NamedTuple):
    """The result for one photograph: its faces and annotated copy, or its error."""

    path: Path
    faces: tuple[Face, ...] = ()
    copy: Path | None = None
    error: FesrError | None = None


@dataclass
class Outcome:
    """The results so far, and the error that stopped the work early."""

    entries: list[Entry] = field(default_factory=list)
    stopped: FesrError | None = None

    @property
    def failures(self) -> list[Entry]:
        """The entries with an error."""
        return [entry for entry in self.entries if entry.error is not None]

    @property
    def photos(self) -> list[Entry]:
        """The entries without an error."""
        return [entry for entry in self.entries if entry.error is None]


def plan(sources: Sequence[Path], output: Path | None) -> Job:
    """Lists the photographs of files and folders, and the places of their results.

    A folder is searched with its subfolders for names with an image's suffix; its copies go to
    `output`, or `<folder>.faces` beside it, in the same subfolders. Raises `BadUse` for a folder
    without images.
    """
    photos, folders, results = [], [], output
    for source in sources:
        if not source.is_dir():
            photos.append(source)
            folders.append(output or source.parent)
            continue
        paths = sorted(path for path in source.rglob("*") if _is_photo(path, source))
        if not paths:
            raise BadUse(f"{source} contains no image ({', '.join(sorted(images.SUFFIXES))})")
        place = output or source.resolve().with_name(f"{source.resolve().name}.faces")
        results = results or place
        photos += paths
        folders += [place / path.parent.relative_to(source) for path in paths]
    return Job(photos, folders, results)


def _is_photo(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not hidden and images.looks_like_image(path) and path.is_file()


def classify(
    client: Client, job: Job, show: Callable[[str], None], ticks: Callable[[], object]
) -> Outcome:
    """Classifies the faces of every photograph. An error in one is recorded and the others go on;
    an error of the server or the model is `stopped`, and earlier results stay.

    show: takes each photograph's text for a terminal; ticks: called once per photograph.
    """
    outcome = Outcome()
    taken = {path.resolve() for path in job.photos}
    jobs = zip(job.photos, job.folders, client.each(job.photos), strict=True)
    try:
        for path, folder, photo in jobs:
            try:
                copy = _annotated(client, path, folder, photo, taken)
            except FesrError as error:
                outcome.entries.append(Entry(path, error=error))
            else:
                outcome.entries.append(Entry(path, photo.faces, copy))
                count = len(photo.faces)
                show(
                    f"{plain(str(path))}: {count} face{'s' * (count > 1)}, annotated copy "
                    f"{plain(str(copy))}\n{tables.text(photo.faces, client.classes)}"
                )
            ticks()
    except FesrError as error:
        outcome.stopped = error
    return outcome


def write_results(outcome: Outcome, client: Client, folder: Path) -> None:
    """Writes `faces.csv`, a row per face and per failure, and `faces.json` into `folder`."""
    classes = client.classes if outcome.photos else ()
    rows = [tables.header(["photo"], classes, ["annotated", "error"])]
    for path, faces, copy, error in outcome.entries:
        first = [plain(str(path))]
        if error is not None:
            rows.append(tables.row(first, "", None, classes, ("", plain(str(error)))))
        for number, face in enumerate(faces, 1):
            rows.append(tables.row(first, number, face, classes, (plain(str(copy)), "")))
    write(folder / "faces.csv", tables.as_csv(rows))
    write(folder / "faces.json", as_json(outcome, client))


def as_json(outcome: Outcome, client: Client) -> str:
    """The outcome as JSON."""
    photos = [
        {"photo": str(path), "faces": tables.as_json(faces), "annotated": str(copy)}
        for path, faces, copy, _ in outcome.photos
    ]
    failures = [{"photo": str(each.path), "reason": str(each.error)} for each in outcome.failures]
    answer = {"model": client.where, "photos": photos, "failures": failures}
    return json.dumps(answer, indent=2) + "\n"


def raise_failures(outcome: Outcome, count: int) -> None:
    """Raises an error for the failures, if any; a single photograph's own error."""
    failures = outcome.failures
    if outcome.stopped is not None:
        if not outcome.entries:
            raise outcome.stopped
        done = f"{len(outcome.entries)} of {count} photographs"
        raise FailedWork(f"stopped after {done}: {outcome.stopped}")
    if failures and count == 1:
        raise failures[0].error
    if failures:
        reasons = "\n".join(f"  {entry.error}" for entry in failures)
        raise FailedWork(f"{len(failures)} of {count} photographs failed:\n{reasons}")


def _annotated(
    client: Client, path: Path, folder: Path, photo: Photograph, taken: set[Path]
) -> Path:
    """Writes the annotated copy and returns its path."""
    if photo.error is not None:
        named = str(path) in str(photo.error)
        raise photo.error if named else FailedWork(f"{path}: {photo.error}")
    if not photo.faces:
        raise FailedWork(f"{path}: {NoFaceFound('no face found at any scale')}")
    copy = annotated_path(path, folder, taken)
    taken.add(copy.resolve())
    boxes = [face.box for face in photo.faces]
    shares = tables.shares(photo.faces, client.classes)
    write(copy, image_grids.png(annotations.annotate(photo.pixels, boxes, shares, client.classes)))
    return copy


def annotated_path(photo: Path, folder: Path, taken: set[Path]) -> Path:
    """The path of the annotated copy: `<name>.annotated.png`, numbered if that is in `taken`
    (resolved paths: the photographs themselves and the copies of this call)."""
    numbers = (f"-{n}" if n > 1 else "" for n in range(1, len(taken) + 2))
    paths = (folder / f"{photo.stem}.annotated{number}.png" for number in numbers)
    return next(path for path in paths if path.resolve() not in taken)


def write(path: Path, data: bytes | str) -> None:
    """Writes a result atomically; raises `FailedWork` where it cannot be written."""
    try:
        write_whole(path, data)
    except OSError as error:
        reason = error.strerror or error
        raise FailedWork(f"cannot write {path} ({reason}); choose a folder by --output") from None
