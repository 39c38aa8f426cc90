"""The preprocessing job: a database's folder in, aligned faces in per-fold TFRecords out.

    python -m pipelines.preprocess --db demo|images|tfd --input DIR --output DIR

An Apache Beam pipeline; every option of Beam is passed on, so that the same job runs on
this machine or on a cluster.
"""

from __future__ import annotations

import pipelines.quiet_beam  # noqa: F401

# isort: split
import logging
import sys
from collections import defaultdict
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult

from pipelines import arguments, steps
from pipelines.alignment import landmark_model_path
from pipelines.beam_options import pipeline_options, runs_here
from pipelines.databases import Database, open_database
from pipelines.demo_source import rendered
from pipelines.errors import BadUse, FailedWork, FesrError, command
from pipelines.files import folder_whole
from pipelines.finish import finish, write_result
from pipelines.folds import Division, divide
from pipelines.manifest import Manifest, load, shard_path
from pipelines.progress import watched
from pipelines.reports import closing_report, findings_report


def plan(database: Database, division: Division, shards: int | None = None) -> list[steps.Task]:
    """What is to be done, one task a sample, in key order.

    Each fold's samples are cut into `shards` files (by default as many as keep a file at
    `arguments.RECORDS_A_SHARD`) in key order, so that which file a face goes to depends on nothing
    but the database.
    """
    by_fold: dict[int, list] = defaultdict(list)
    for sample in database.samples:
        by_fold[division.home[sample.key]].append(sample)
    tasks = []
    for fold, samples in sorted(by_fold.items()):
        count = min(shards or -(-len(samples) // arguments.RECORDS_A_SHARD), len(samples))
        for index, sample in enumerate(samples):
            tasks.append(
                steps.Task(
                    sample=sample,
                    class_name=database.classes[sample.label],
                    source=database.source(sample),
                    splits=division.splits[sample.key],
                    shard=shard_path(fold, index * count // len(samples), count),
                )
            )
    return tasks


def build(
    pipeline: beam.Pipeline,
    database: Database,
    folds: Division,
    output: str | Path,
    shards: int | None = None,
    ticks: str | None = None,
) -> None:
    """Adds the job to `pipeline`: shards under `output`, then `job.json` with what was
    written and what was rejected. ticks: see `steps`; a file that shows progress.
    """
    output = str(output)
    decoded = (
        pipeline
        | "Read samples" >> beam.Create(plan(database, folds, shards))
        # Without this, the few bytes of the task list stay one bundle and one worker.
        | "Spread over workers" >> beam.Reshuffle()
        | "Decode" >> beam.ParDo(steps.Decode(ticks)).with_outputs(steps.REJECTED, main="good")
    )
    align = steps.Align(ticks, search=_searches(database))
    aligned = decoded.good | "Align" >> beam.ParDo(align).with_outputs(steps.REJECTED, main="good")
    written = (
        aligned.good
        | "Encode"
        >> beam.ParDo(steps.Encode(ticks)).with_output_types(tuple[str, tuple[str, bytes]])
        | "Group by shard" >> beam.GroupByKey()
        | "Write shards" >> beam.ParDo(steps.WriteShard(output))
    )
    rejected = (decoded[steps.REJECTED], aligned[steps.REJECTED]) | "Rejects" >> beam.Flatten()
    _ = (
        pipeline
        | "Once" >> beam.Create([output])
        | "Write result"
        >> beam.Map(write_result, beam.pvalue.AsList(written), beam.pvalue.AsList(rejected))
    )


def preprocess(
    database: Database,
    division: Division,
    output: Path,
    options: PipelineOptions,
    shards: int | None = None,
    max_rejects: float = 1.0,
) -> tuple[Manifest, dict[str, int]]:
    """Runs the job and puts the finished folder in `output`'s place, whole or not at all.

    Returns its manifest and how many faces each rung of the detection ladder found. Raises
    `FailedWork` if no sample could be used, if more than the share
    `max_rejects` was rejected, or if one was lost on the way.
    """
    if _searches(database):
        # Missing, it is better missed here than by every worker.
        landmark_model_path()
    with folder_whole(output) as folder:
        ticks = folder / ".progress"
        ticks.touch()
        pipeline = beam.Pipeline(options=options)
        build(
            pipeline, database, division, folder, shards, str(ticks) if runs_here(options) else None
        )
        with watched(ticks, len(database.samples), "aligning faces"):
            result = _run(pipeline)
        ticks.unlink()
        manifest = finish(folder, database, division, max_rejects)
    scales = result.metrics().query(beam.metrics.MetricsFilter().with_namespace("scales"))
    return manifest, {found.key.metric.name: found.committed for found in scales["counters"]}


def _searches(database: Database) -> bool:
    return not all(sample.aligned for sample in database.samples)


def _run(pipeline: beam.Pipeline) -> PipelineResult:
    """Runs to the end. Beam raises what happened inside a step as a RuntimeError of its own;
    what a person did, or can mend, is taken out of it again."""
    # It would log the traceback that is raised anyway, and one for Ctrl-C too.
    logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)
    try:
        result = pipeline.run()
        result.wait_until_finish()
        return result
    except Exception as error:
        inner: BaseException | None = error
        while inner is not None:
            if isinstance(inner, KeyboardInterrupt | FesrError):
                raise inner from None
            if isinstance(inner, OSError):
                raise FailedWork(f"the job could not read or write: {inner}") from error
            inner = inner.__cause__ or inner.__context__
        raise


def _check_output(output: Path, source: Path | None, name: str, overwrite: bool) -> None:
    """Refuses to replace anything but an earlier result, unasked one of another database."""
    if source is not None and source.resolve().is_relative_to(output.resolve()):
        raise BadUse(f"--output {output} would replace the --input {source}; choose another")
    if not output.exists():
        return
    if output.is_dir() and not any(output.iterdir()):
        return
    try:
        earlier = load(output)
    except BadUse:
        raise BadUse(
            f"{output} exists and is not a preprocessed folder; choose another --output"
        ) from None
    if earlier.database != name and not overwrite:
        raise BadUse(
            f"{output} holds the database {earlier.database!r}; choose another --output, or add "
            "--overwrite to replace it"
        )


@command
def main(argv: list[str] | None = None) -> int:
    parser = arguments.parser()
    args, rest = parser.parse_known_args(argv)
    own = [text for action in parser._actions for text in action.option_strings]
    options = pipeline_options(rest, own)
    output = args.output or Path("data") / args.db
    if args.shards is not None and args.shards < 1:
        raise BadUse(f"--shards {args.shards}: a fold needs at least one file")
    if not 0 <= args.max_rejects <= 1:
        raise BadUse(f"--max-rejects {args.max_rejects:g} is not a share in 0…1")
    _check_output(output, args.input, args.db, args.overwrite)
    if args.input is None and args.db != "demo":
        raise BadUse(f"--db {args.db} needs --input, the folder that holds the database")
    source = args.input or rendered(
        output.parent / f"{output.name}_source",
        args.demo_subjects,
        args.demo_seed,
        args.demo_frames,
    )
    database = open_database(args.db, source, arguments.choices(args))
    division = divide(database, args.folds, args.valid_share, args.fold_rule)
    print(
        f"{args.db}: {len(database.samples)} images of "
        f"{len({sample.subject for sample in database.samples})} subjects in {source}, "
        f"{len(database.classes)} classes, {division.folds} folds"
    )
    if database.findings:
        print(findings_report(database.findings))
    replaced = output.exists()
    manifest, scales = preprocess(
        database, division, output, options, args.shards, args.max_rejects
    )
    print(closing_report(manifest, output, scales, replaced))
    return 0


if __name__ == "__main__":
    sys.exit(main())
