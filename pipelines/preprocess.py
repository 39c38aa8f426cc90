"""Aligns the faces of a database and writes them as per-fold TFRecords.

    python -m pipelines.preprocess --db NAME --input DIR --output DIR

An Apache Beam pipeline; every option of Beam is passed on, so that the same job runs on
this machine or on a cluster.
"""

from __future__ import annotations

import pipelines.job.quiet_beam  # noqa: F401

# isort: split
import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult

from pipelines.common.errors import BadUse, CutShort, FailedWork, FesrError, command
from pipelines.common.files import (
    VERSIONS,
    Location,
    folder_whole,
    location,
    remove_folder,
    write_whole,
)
from pipelines.common.subjects import counted, of_people
from pipelines.databases import Database, open_database
from pipelines.databases.base import GUESSED
from pipelines.dataset import copies
from pipelines.dataset import manifest as manifests
from pipelines.dataset.doubts import doubt
from pipelines.dataset.folds import Division, divide
from pipelines.dataset.manifest import ERROR, Manifest, database_in
from pipelines.demo_faces.source import rendered
from pipelines.faces.alignment import landmark_model_path
from pipelines.inspection.console import closing_report, findings_report
from pipelines.job import arguments, spill, steps
from pipelines.job.beam_options import divide_work, on_dask, pipeline_options
from pipelines.job.engines import check_engine
from pipelines.job.finish import finish
from pipelines.job.progress import Finished, watched
from pipelines.job.quiet_beam import quiet_end, quiet_start
from pipelines.job.tasks import PLAN, PLANNED, TAKEN, plan, slices, state_of_files, write_plan

# What a killed job leaves for the next one: the digest of its plan, its parts, and the thumbnails
# of its rejects.
_KEPT = (PLANNED, spill.FOLDER, steps.REJECT_PICTURES)
# How Beam begins its error where it cannot download Flink's or Spark's job server.
_NO_JAR = "Unable to fetch remote job server jar"


def build(
    pipeline: beam.Pipeline,
    database: Database,
    folds: int,
    output: Location,
    points: int = 68,
    ticks: str | None = None,
) -> None:
    """Adds the job to `pipeline`: shards under `output`, where `write_work` has written what is to
    be done, files that describe them, then `job.json`.

    points: of the landmark model, 68 or 5. ticks: a folder that shows progress, see `steps`.
    The graph does not grow with the database.
    No step has two readers, a side input or a tagged output, so that every runner computes each
    step once.
    """
    count = slices(output / PLAN)
    align = steps.AlignFaces(str(output), ticks, _searches(database), points)
    _ = (
        pipeline
        | "Plan" >> beam.Create(range(count))
        | "List work" >> beam.FlatMap(steps.list_work, str(output), count)
        # Without this, the few bytes of the list stay in one bundle on one worker.
        | "Spread over workers" >> beam.Reshuffle()
        | "Read tasks" >> beam.FlatMap(steps.read_tasks, str(output))
        | "Align faces" >> beam.ParDo(align).with_output_types(tuple[str, tuple[float, Any]])
        | "Group by shard" >> beam.GroupByKey()
        | "Write shards" >> beam.Map(steps.write_shard, str(output), folds)
        | "Group all" >> beam.GroupByKey()
        | "Write result" >> beam.Map(steps.write_result, str(output), folds)
    )


def preprocess(
    database: Database,
    division: Division,
    output: Location,
    options: PipelineOptions,
    shards: int | None = None,
    points: int = 68,
    max_rejects: float = 1.0,
    rule: str = copies.REFUSED,
    restart: bool = False,
) -> tuple[Manifest, dict[str, int], float]:
    """Runs the job and replaces `output` atomically with the finished folder.

    Returns its manifest, the number of faces found at each scale of the detection, by given
    landmarks, and so on, and the seconds that all workers together spent on the images. rule: one
    of `copies.RULES`; copies that are refused are listed in `<output>_copies.csv`. restart: take
    up nothing of a killed job of the same plan. Raises `FailedWork` for copies, if no sample could
    be used, if more than the share `max_rejects` was rejected, or if one was lost.
    """
    if _searches(database):
        landmark_model_path(points)  # a missing model fails here, not in every worker
    with folder_whole(output, () if restart else _KEPT) as folder:
        done = write_work(folder, database, division, shards, points)
        ticks = _ticks(folder)
        if ticks and done:
            Path(ticks, "taken up").write_bytes(b"." * done)
        divide_work(options, len(database.samples))
        pipeline = _pipeline(options)
        build(pipeline, database, division.folds, folder, points, ticks)
        finished = Finished(ticks)
        with watched(finished, len(database.samples), "aligning faces"):
            _run(pipeline, finished)
        result = json.loads((folder / spill.RESULT).read_text(encoding="utf-8"))
        listing = output.parent / f"{output.name}_{copies.NAME}"
        if ticks:
            remove_folder(Path(ticks))
        manifest = finish(folder, database, division, max_rejects, rule, listing)
    return manifest, result["found"], result["seconds"]


def write_work(
    folder: Location,
    database: Database,
    division: Division,
    shards: int | None = None,
    points: int = 68,
) -> int:
    """Writes the plan, and the list of parts in `folder` that a killed job of the same plan has
    left whole; those of another plan are removed. Returns how many images the parts hold."""
    path, mark = folder / PLAN, folder / PLANNED
    parts = spill.whole_parts(folder)
    done = {key for keys in parts.values() for key in keys}
    tasks, state = (lambda: plan(database, division, shards)), state_of_files(database.root)
    version = f"{points} landmarks, records {manifests.FORMAT}, "
    planned = version + write_plan(path, tasks(), done, state)
    if not mark.exists() or mark.read_text() != planned:
        if done:
            print("the unfinished job had other images or options: its parts are not taken up")
        for name in (spill.FOLDER, steps.REJECT_PICTURES):
            remove_folder(folder / name)
        if done:
            parts, done = {}, set()
            write_plan(path, tasks(), done, state)
    if done:
        print(f"{len(done):,} of {len(database.samples):,} images are done: the job resumes")
    write_whole(folder / TAKEN, json.dumps(list(parts)))
    write_whole(mark, planned)
    return len(done)


def _pipeline(options: PipelineOptions) -> beam.Pipeline:
    try:
        return beam.Pipeline(options=options)
    except ValueError as error:  # options that contradict each other, or lack one
        text = " ".join(str(error).split())
        raise BadUse(f"Apache Beam refuses the options: {text}") from None


def _ticks(folder: Location) -> str | None:
    """The folder in which workers show their progress; a store's files cannot grow."""
    if not isinstance(folder, Path):
        return None
    path = folder / ".progress"
    path.mkdir()
    return str(path)


def _searches(database: Database) -> bool:
    """Whether any sample needs the detector or the landmark model."""
    return any(
        not (sample.aligned or sample.landmarks or sample.anchors) or sample.film
        for sample in database.samples
    )


def _run(pipeline: beam.Pipeline, finished: Finished) -> None:
    """Runs to the end; Ctrl-C cancels the job on its engine. Beam wraps errors of a step in a
    RuntimeError; those for the user are unwrapped."""
    # Beam would log the traceback that is raised anyway, and one for Ctrl-C too.
    logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)
    try:
        with quiet_start(on_dask(pipeline.options)):
            result = finished.result = pipeline.run()
        with _on_engine(result):
            result.wait_until_finish()
    except KeyboardInterrupt:
        quiet_end()
        text = "note: finished parts are kept; the same command resumes, --restart begins anew"
        print(text, file=sys.stderr, flush=True)
        raise
    except Exception as error:
        inner: BaseException | None = error
        while inner is not None:
            if isinstance(inner, KeyboardInterrupt | FesrError):
                raise inner from None
            if str(inner).startswith(_NO_JAR):
                raise FailedWork(" ".join(str(inner).split())) from error
            if type(inner).__module__.startswith("distributed."):
                raise CutShort(f"Dask: {inner}; the same command resumes") from error
            if isinstance(inner, OSError):
                text = f"the job could not read or write: {inner}; the same command resumes"
                raise CutShort(text) from error
            inner = inner.__cause__ or inner.__context__
        raise


@contextlib.contextmanager
def _on_engine(result: PipelineResult) -> Iterator[None]:
    """Cancels the job if the block is interrupted, and leaves Dask's cluster."""
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(NotImplementedError):
            result.cancel()
        raise
    finally:
        if client := getattr(result, "client", None):
            client.close()


def _check_output(output: Location, source: Location | None, name: str, overwrite: bool) -> None:
    """`BadUse` where `output` holds the input, no earlier result, or, unless `overwrite`, one of
    another database."""
    here = isinstance(source, Path) == isinstance(output, Path)
    if source is not None and here and source.resolve().is_relative_to(output.resolve()):
        raise BadUse(f"--output {output} would replace the --input {source}; choose another")
    if not output.exists():
        return
    held = {entry.name for entry in output.iterdir()} if output.is_dir() else None
    # In a store a killed job leaves its files here, and the next one removes them.
    if held == set() or (held and not isinstance(output, Path) and held <= set(VERSIONS)):
        return
    earlier = database_in(output)
    if earlier is None:
        raise BadUse(f"{output} exists and is not a preprocessed folder; choose another --output")
    if earlier != name and not overwrite:
        raise BadUse(
            f"{output} holds the database {earlier!r}; choose another --output, or add "
            "--overwrite to replace it"
        )


@command
def main(argv: list[str] | None = None) -> int:
    parser = arguments.parser()
    args, rest = parser.parse_known_args(argv)
    options = pipeline_options(rest, own=list(parser._option_string_actions))
    output = args.output or location(Path("data") / args.db)
    if args.shards is not None and args.shards < 1:
        raise BadUse(f"--shards {args.shards}: a fold needs at least one file")
    if not 0 <= args.max_rejects <= 1:
        raise BadUse(f"--max-rejects {args.max_rejects:g} is not a share in 0…1")
    _check_output(output, args.input, args.db, args.overwrite)
    check_engine(options)
    if args.input is None and args.db != "demo":
        raise BadUse(f"--db {args.db} needs --input, the folder that holds the database")
    demo = args.demo_subjects, args.demo_seed, args.demo_frames
    source = args.input or rendered(output.parent / f"{output.name}_source", *demo)
    database = open_database(args.db, source, **arguments.options_of_reader(args))
    division = divide(database, args.folds, args.valid_share, args.fold_rule)
    print(
        f"{args.db}: {len(database.samples)} images"
        f"{of_people(*counted([sample.subject for sample in database.samples]))} in {source}, "
        f"{len(database.classes)} classes, {division.folds} fold{'s' * (division.folds > 1)}"
    )
    if division.subjects == GUESSED:
        named = [(s.subject, database.classes[s.label]) for s in database.samples]
        if text := doubt(*zip(*named, strict=True)):
            print(f"warning: {text}", flush=True)
    if database.findings:
        print(findings_report(database.findings))
    replaced = output.exists()
    manifest, scales, seconds = preprocess(
        database,
        division,
        output,
        options,
        args.shards,
        args.points,
        args.max_rejects,
        args.copies,
        args.restart,
    )
    print(closing_report(manifest, output, scales, seconds, replaced))
    errors = [each.text for each in manifest.anomalies if each.severity == ERROR]
    if errors:
        raise FailedWork(f"{output} is written, but not fit for training: {' '.join(errors)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
