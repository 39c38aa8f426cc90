"""`python -m fesr_tf.own_data DIR|FILE`: from a folder of labelled faces to a report and a model.

Every stage is a command that is printed and then run as its own process: align the faces,
cross-validate the variants on held-out subjects, train one of them on all images, generate and
measure images, export, report. Finished stages are not repeated, and training resumes.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf.crossvalidation.plan import FIRST, jobs_of, split_overrides
from fesr_tf.data.counts import ClassCounts, count_classes
from fesr_tf.data.origin import Origin
from fesr_tf.networks.face_networks import doubts
from fesr_tf.own_data import power, step_time, summary
from fesr_tf.own_data.plan import Plan, cross_validation, last_stages, preprocessing
from fesr_tf.processes.sequence import call, minutes, run_stages
from fesr_tf.runs import files
from fesr_tf.serving.export import check_name
from pipelines.common.errors import BadUse, FailedWork, command, plain
from pipelines.common.subjects import shown, unit
from pipelines.databases import READERS, Database, open_database
from pipelines.dataset import manifest as manifests
from pipelines.dataset.doubts import HINT
from pipelines.dataset.folds import RULES, divide
from pipelines.job import arguments

# What this command sets itself for pipelines.preprocess.
OWN = ("help", "db", "input", "output", "folds", "shards", "overwrite")
VARIANTS = ("BASELINE", "FESR_JL")


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.own_data",
        description="Aligns, cross-validates, trains, reports and exports on your own faces.",
    )
    add = parser.add_argument
    add("source", type=_source, metavar="DIR|FILE",
        help="<class>/<person>_<anything>.jpg, or a CSV of path,label,subject; with --db the "
        "folder or file of that database")  # fmt: skip
    add("--db", default="images", choices=sorted(READERS), help="reader [%(default)s]")
    add("--output", type=Path, default=Path("mine"), help="folder of all outputs [mine]")
    add("--name", help="the model's name for clients [the output folder's]")
    add("--models", type=Path, default=Path("saved_models"), help="[%(default)s]")
    add("--folds", type=int, help="[the database's customary number, 5 for images, or the number "
        "of people if smaller; a CSV or official parts may set the folds]")  # fmt: skip
    add("--size", default="small", choices=configs.names("sizes"),
        help="small: for a laptop; paper: the paper's size, for a GPU [%(default)s]")  # fmt: skip
    add("--variants", nargs="+", default=VARIANTS, metavar="V",
        help="all are cross-validated and compared with the first; the last is trained on all "
        f"images and exported [{' '.join(VARIANTS)}]")  # fmt: skip
    add("--jobs", type=int, default=1, help="simultaneous trainings [1]")
    add("--dry-run", action="store_true",
        help="align the faces, print statistical power and expected time, and stop")  # fmt: skip
    add("overrides", nargs="*", metavar="key=value", help="settings of every run")
    group = parser.add_argument_group("passed on to pipelines.preprocess")
    for action in _passed_on():
        # As text: pipelines.preprocess converts and checks the values.
        text = copy.copy(action)
        text.type = text.choices = None
        text.help = (action.help or "").replace("%(default)s", str(action.default))
        text.default = None
        group._add_action(text)
    return parser


def _source(text: str) -> Path:
    # As a Path, an empty name is the working folder.
    if not text:
        raise argparse.ArgumentTypeError("it is empty; give a folder or a file")
    return Path(text)


def _passed_on() -> list[argparse.Action]:
    """The options of `pipelines.preprocess` that this command does not set itself."""
    actions = arguments.parser()._actions
    return [a for a in actions if a.dest not in OWN and not a.dest.startswith("demo_")]


def preprocess_words(options: argparse.Namespace) -> list[str]:
    """The options that are passed on, as they are written on a command line."""
    words = []
    for action in _passed_on():
        value, flag = getattr(options, action.dest), action.option_strings[-1]
        if action.nargs == 0:
            # Several flags may set one value, as --drop-copies and --allow-copies.
            words += [flag] if value == action.const else []
        elif value is not None:
            values = value if isinstance(value, list) else [value]
            words += [f"{flag}={each}" for each in values]
    return words


def planned(options: argparse.Namespace) -> tuple[Plan, Database, list[str]]:
    """The plan, the images as the reader lists them, and notes for the user.

    Raises `BadUse` for every error that shows before an image is read.
    """
    variants, settings = split_overrides(options)
    keys = {text.partition("=")[0].strip() for text in settings}
    words = preprocess_words(options)
    given = arguments.parser().parse_args(["--db", options.db, *words])
    if "seed" in keys:
        raise BadUse("seed cannot be set here; fesr_tf.crossval --seeds trains with several")
    if options.jobs < 1:
        raise BadUse(f"--jobs must be at least 1, not {options.jobs}")
    if options.source.resolve().is_relative_to(options.output.resolve()):
        raise BadUse(
            f"--output {options.output} contains the images {options.source}; choose another folder"
        )
    name = options.name or re.sub(r"[^A-Za-z0-9_.-]+", "-", options.output.resolve().name)
    check_name(name)
    try:
        database = open_database(options.db, options.source, **arguments.options_of_reader(given))
    except BadUse as error:
        # The reader names --input, an option of `pipelines.preprocess`.
        raise BadUse(str(error).replace("--input takes", "give")) from None
    folds, notes = fold_count(database, options.folds, given.valid_share, given.fold_rule)
    size = [text for text in configs.size(options.size) if text.partition("=")[0] not in keys]
    plan = Plan(
        database=options.db,
        source=options.source,
        output=options.output,
        model=options.models / name,
        folds=folds,
        variants=variants,
        overrides=(*size, *settings),
        jobs=options.jobs,
        options=tuple(words),
    )
    for variant in variants:
        if not plan.settings(variant).trains_recognizer:
            raise BadUse(f"{variant} trains only FESGAN and has no recogniser to test")
    return plan, database, notes


def fold_count(
    database: Database,
    requested: int | None,
    valid_share: float | None = None,
    rule: str = RULES[0],
) -> tuple[int | None, list[str]]:
    """The number of folds, None where the data assign them, and a note where it was lowered.

    Raises `BadUse` for a single person and for what `pipelines.dataset.folds` refuses.
    """
    samples = database.samples
    if any(sample.fold is not None or sample.official for sample in samples):
        divide(database, requested, valid_share, rule)
        return None, []
    tested = sorted({unit(sample.subject, sample.key) for sample in samples if sample.test})
    if len(tested) < 2:
        who = shown(tested[0]) if tested else "nobody"
        raise BadUse(
            f"{database.root} tests one person ({who}); a test on held-out subjects needs two or "
            "more (the person is a file's name up to its first _, or the CSV's column subject; "
            f"{HINT})"
        )
    requested = database.folds if requested is None else requested
    folds = min(requested, len(tested))
    divide(database, folds, valid_share, rule)
    what = "people" if all(sample.subject for sample in samples) else "test images or people"
    note = f"{folds} folds instead of {requested}, as there are {len(tested)} {what}"
    return folds, [note] * (folds < requested)


def fit_batch_size(plan: Plan, counts: ClassCounts) -> tuple[list[str], list[str]]:
    """The settings of every run, with `batch_size` lowered to the smallest training part, and a
    note where it was lowered. A batch size of the user is kept."""
    size, available = plan.settings(plan.final).batch_size, counts.smallest_training_part
    given = any(text.partition("=")[0].strip() == "batch_size" for text in plan.overrides)
    if size <= available or given:
        return list(plan.overrides), []
    setting = f"batch_size={available}"
    note = f"{setting} instead of {size}, as the smallest training part has {available} images"
    return [*plan.overrides, setting], [note]


def estimate(plan: Plan, counts: ClassCounts, settings: list[str]) -> dict[str, float]:
    """Minutes of the remaining trainings, "crossval" and "everybody", from measured step times.

    The measurement is a process of its own and runs only if training remains. Raises `BadUse` or
    `FailedWork` where it fails.
    """
    cross = cross_validation(plan, counts, settings)
    todo = jobs_of(cross)
    final = cross.settings(plan.final, 0)
    begin = max([0 if final.trains_fesgan else final.pretrain_iterations,
                 *files.steps(plan.final_run / files.CHECKPOINTS)])  # fmt: skip
    if not todo and begin >= final.max_iterations:
        return {"crossval": 0.1, "everybody": 0.1}
    words = ["-m", "fesr_tf.own_data.step_time", "--db", plan.database, "--data", str(plan.data),
             "--fold", str(counts.folds[0]), "--variants", *plan.variants, *settings]  # fmt: skip
    print("\nmeasuring the time of a training step …", flush=True)
    child = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    if child.returncode:
        kind = BadUse if child.returncode == BadUse.exit_code else FailedWork
        raise kind("nothing was trained, for the reason above")
    times = json.loads(child.stdout.splitlines()[-1])
    for variant, stages in times.items():
        steps = ", ".join(f"{value:.2g} s ({stage})" for stage, value in stages.items())
        print(f"  {variant}: {steps} per step")
    configurations = {variant: cross.settings(variant, 0) for variant in plan.variants}
    if any(job.name.startswith(f"{FIRST} ") for job in todo):
        configurations[FIRST] = cross.settings(FIRST, 0)
    alone = step_time.seconds(times, plan.final, final, begin, final.max_iterations)
    return {
        "crossval": step_time.seconds_of_jobs(times, todo, configurations) / 60,
        "everybody": (alone + step_time.PROCESS) / 60,
    }


def print_list(heading: str, sentences: list[str]) -> None:
    """Prints a heading and sentences under it."""
    print(f"\n{heading}")
    for sentence in sentences:
        print(f"- {plain(sentence)}", flush=True)


@command
def main(argv: list[str] | None = None) -> int:
    """Runs every stage; 0, or the exit code of the stage that failed."""
    options = parser().parse_intermixed_args(argv)
    plan, database, notes = planned(options)
    plan.claim(database)
    began = time.monotonic()
    for note in notes:
        print(f"note: {plain(note)}", file=sys.stderr, flush=True)
    if code := run_stages([preprocessing(plan)], call):
        return code
    manifest = manifests.load(plan.data)
    counts = count_classes(plan.data, manifest)
    settings, notes = fit_batch_size(plan, counts)
    notes += doubts(plan.settings(plan.final), Origin.of(manifest))
    print_list("Statistical power of these data:", [*power.sentences(manifest, counts), *notes])
    times = estimate(plan, counts, settings)
    photo = plan.photo(database)
    todo = last_stages(plan, counts, settings, times, photo)
    left = sum(stage.minutes for stage in todo if not stage.finished())
    print(
        f"\nabout {minutes(left)} left: {minutes(times['crossval'])} for the cross-validation, "
        f"{minutes(times['everybody'])} for the training on all images, and the other stages",
        flush=True,
    )
    if options.dry_run:
        return 0
    if code := run_stages(todo, call):
        return code
    result = json.loads(plan.crossval.read_text(encoding="utf-8"))
    print_list("Results:", summary.sentences(result, manifest, counts, plan.final))
    print(f"\n{summary.locations(plan, photo)}")
    print(f"\ntook {minutes((time.monotonic() - began) / 60)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
