"""Photographs and folders of them: every face classified, copies annotated, results written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fesr_tf.client import tables
from fesr_tf.client.results import Photograph
from fesr_tf.client.session import Client
from fesr_tf.plots import annotations, image_grids
from pipelines.common.errors import BadUse, FailedWork, FesrError, plain
from pipelines.common.files import write_whole
from pipelines.faces.alignment import NoFaceFound
from pipelines.media import images


@dataclass(frozen=True)
class Job:
    """What to ask about: `photos`, where each one's annotated copy goes (`folders`, as many),
    and the folder of `faces.csv` and `faces.json`, None for neither."""

    photos: list[Path]
    folders: list[Path]
    results: Path | None


@dataclass
class Outcome:
    """What came of it: entries for JSON, sentences of failures, and what ended it early."""

    photos: list[dict] = field(default_factory=list)
    failures: list[dict] = field(default_factory=list)
    rows: list[list[object]] = field(default_factory=list)
    stopped: FesrError | None = None


def plan(sources: Sequence[Path], output: Path | None) -> Job:
    """The photographs that files and folders mean, and where their results go.

    A folder is searched with the folders below it for names that end like pictures; its copies
    go to `output`, or `<folder>.faces` beside it, in the folders that the pictures have. Raises
    `BadUse` for a folder without pictures.
    """
    photos, folders, results = [], [], output
    for source in sources:
        if not source.is_dir():
            photos.append(source)
            folders.append(output or source.parent)
            continue
        found = sorted(p for p in source.rglob("*") if _is_photo(p, source))
        if not found:
            raise BadUse(f"{source} holds no picture ({', '.join(sorted(images.SUFFIXES))})")
        place = output or source.resolve().with_name(f"{source.resolve().name}.faces")
        results = results or place
        photos += found
        folders += [place / path.parent.relative_to(source) for path in found]
    return Job(photos, folders, results)


def _is_photo(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not hidden and images.looks_like_image(path) and path.is_file()


def ask(
    client: Client, job: Job, show: Callable[[str], None], ticks: Callable[[], object]
) -> Outcome:
    """Asks about every photograph. What is wrong with one is noted and the others go on; where
    the server or the model fails, `stopped` says so and what was done before stays.

    show: takes what a person reads of each photograph; ticks: called once a photograph.
    """
    outcome, asked = Outcome(), list(zip(job.photos, job.folders, strict=True))
    taken = {path.resolve() for path in job.photos}
    answers = _until_it_fails(client.each(job.photos), outcome)
    for (path, folder), photo in zip(asked, answers, strict=False):
        try:
            copy = _annotated(client, path, folder, photo, taken)
        except FesrError as error:
            outcome.failures.append({"photo": str(path), "reason": str(error), "error": error})
            reason = plain(str(error))
            outcome.rows.append([plain(str(path)), None, None, reason])
        else:
            entry = {"photo": str(path), "faces": tables.as_json(photo.faces)}
            outcome.photos.append(entry | {"annotated": str(copy)})
            for number, face in enumerate(photo.faces, 1):
                outcome.rows.append([plain(str(path)), number, face, plain(str(copy))])
            count = len(photo.faces)
            show(
                f"{plain(str(path))}: {count} face{'s' * (count > 1)}, annotated copy "
                f"{plain(str(copy))}\n{tables.text(photo.faces, client.classes)}"
            )
        ticks()
    return outcome


def _until_it_fails(answers: Iterator[Photograph], outcome: Outcome) -> Iterator[Photograph]:
    try:
        yield from answers
    except FesrError as error:
        outcome.stopped = error


def write_results(outcome: Outcome, client: Client, folder: Path) -> None:
    """`faces.csv`, a row a face and a row a failure, and `faces.json` into `folder`."""
    classes = client.classes if outcome.photos else ()
    rows = [tables.header(["photo"], classes, ["annotated", "error"])]
    for path, number, face, said in outcome.rows:
        last = ("", said) if face is None else (said, "")
        rows.append(tables.row([path], "" if number is None else number, face, classes, last))
    write(folder / "faces.csv", tables.as_csv(rows))
    write(folder / "faces.json", as_json(outcome, client))


def as_json(outcome: Outcome, client: Client) -> str:
    """The outcome as JSON."""
    failures = [{key: each[key] for key in ("photo", "reason")} for each in outcome.failures]
    answer = {"model": client.where, "photos": outcome.photos, "failures": failures}
    return json.dumps(answer, indent=2) + "\n"


def raise_failures(outcome: Outcome, count: int) -> None:
    """Raises what went wrong, if anything did: of one photograph its own error."""
    if outcome.stopped is not None:
        done = len(outcome.photos) + len(outcome.failures)
        if not done:
            raise outcome.stopped
        raise FailedWork(f"stopped after {done} of {count} photographs: {outcome.stopped}")
    if outcome.failures and count == 1:
        raise outcome.failures[0]["error"]
    if outcome.failures:
        reasons = "\n".join(f"  {failure['reason']}" for failure in outcome.failures)
        raise FailedWork(f"{len(outcome.failures)} of {count} photographs failed:\n{reasons}")


def _annotated(
    client: Client, path: Path, folder: Path, photo: Photograph, taken: set[Path]
) -> Path:
    """Writes the annotated copy and returns its place."""
    if photo.error is not None:
        raise _naming(path, photo.error)
    if not photo.faces:
        raise FailedWork(f"{path}: {NoFaceFound('no face found at any scale')}")
    copy = annotated_path(path, folder, taken)
    taken.add(copy.resolve())
    boxes = [face.box for face in photo.faces]
    shares = tables.shares(photo.faces, client.classes)
    write(copy, image_grids.png(annotations.annotate(photo.pixels, boxes, shares, client.classes)))
    return copy


def _naming(path: Path, error: FesrError) -> FesrError:
    return error if str(path) in str(error) else FailedWork(f"{path}: {error}")


def annotated_path(photo: Path, folder: Path, taken: set[Path]) -> Path:
    """Where the annotated copy goes: `<name>.annotated.png`, numbered if that is in `taken`
    (resolved paths: the photographs themselves and the copies of this call)."""
    numbers = (f"-{n}" if n > 1 else "" for n in range(1, len(taken) + 2))
    paths = (folder / f"{photo.stem}.annotated{number}.png" for number in numbers)
    return next(path for path in paths if path.resolve() not in taken)


def write(path: Path, data: bytes | str) -> None:
    """Writes a result whole; `FailedWork` where that cannot be."""
    try:
        write_whole(path, data)
    except OSError as error:
        reason = error.strerror or error
        raise FailedWork(f"cannot write {path} ({reason}); choose a folder by --output") from None
