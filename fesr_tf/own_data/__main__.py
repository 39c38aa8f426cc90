"""`python -m fesr_tf.own_data DIR|CSV`: from a folder of labelled faces to a report and a model.

Every stage is a command that a user would type, printed and then run as its own process: faces
aligned, variants cross-validated by person, one of them trained on everybody, drawn, measured,
exported, reported. What is finished is not done again; training goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf.crossvalidation.plan import FIRST, jobs_of, split_overrides
from fesr_tf.data import ALL
from fesr_tf.data.counts import Census, take
from fesr_tf.own_data import step_time
from fesr_tf.own_data import summary as ending
from fesr_tf.own_data.plan import DATABASE, Plan, cross_validation, first_stages, last_stages
from fesr_tf.own_data.power import sentences
from fesr_tf.processes.sequence import call, minutes, run_stages
from fesr_tf.runs import files
from fesr_tf.serving.export import check_name
from pipelines.common.errors import BadUse, FailedWork, command, plain
from pipelines.databases import Database, open_database
from pipelines.dataset import manifest as manifests
from pipelines.dataset.folds import divide

FOLDS = 5
VARIANTS = ("BASELINE", "FESR_JL")


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(
        prog="python -m fesr_tf.own_data",
        description="Aligns, cross-validates, trains, reports and exports your own faces.",
    )
    add = made.add_argument
    add("source", type=Path, metavar="DIR|CSV",
        help="<class>/<person>_<anything>.jpg, or a CSV path,label,subject")  # fmt: skip
    add("--output", type=Path, default=Path("mine"), help="folder of it all [mine]")
    add("--name", help="the model's name, as clients call it [the output folder's]")
    add("--models", type=Path, default=Path("saved_models"), help="[%(default)s]")
    add("--folds", type=int, help=f"[{FOLDS}, or as many as there are people; a CSV may say them]")
    add("--size", default="small", choices=configs.names("sizes"),
        help="small: a laptop's; paper: the paper's, for a GPU [%(default)s]")  # fmt: skip
    add("--variants", nargs="+", default=VARIANTS, metavar="V",
        help=f"all are cross-validated; the first is what the others are compared with, the last "
        f"is trained on everybody and exported [{' '.join(VARIANTS)}]")  # fmt: skip
    add("--jobs", type=int, default=1, help="trainings at once [1]")
    add("--prealigned", action="store_true", help="the pictures are cropped faces already")
    add("--dry-run", action="store_true",
        help="align, say what the data can show and how long it would take, and stop")  # fmt: skip
    add("overrides", nargs="*", metavar="key=value", help="settings of every run")
    return made


def planned(options: argparse.Namespace) -> tuple[Plan, Database, list[str]]:
    """What is to be done, the pictures as they were found, and what to know of it.

    Raises `BadUse` for what can be seen not to work before any picture is looked at.
    """
    variants, given = split_overrides(options)
    if any(text.partition("=")[0].strip() == "seed" for text in given):
        raise BadUse("seed is not a setting here: fesr_tf.crossval --seeds trains with several")
    if options.jobs < 1:
        raise BadUse(f"--jobs must be at least 1, not {options.jobs}")
    if options.source.resolve().is_relative_to(options.output.resolve()):
        raise BadUse(
            f"--output {options.output} holds the pictures {options.source}: choose another folder"
        )
    name = options.name or re.sub(r"[^A-Za-z0-9_.-]+", "-", options.output.resolve().name)
    check_name(name)
    try:
        database = open_database(DATABASE, options.source, prealigned=options.prealigned)
    except BadUse as error:
        # The reader names an option of the command that it is made for.
        raise BadUse(str(error).replace("--input takes", "give")) from None
    folds, notes = chosen_folds(database, options.folds)
    keys = {text.partition("=")[0].strip() for text in given}
    size = [text for text in configs.size(options.size) if text.partition("=")[0] not in keys]
    plan = Plan(
        source=options.source,
        output=options.output,
        model=options.models / name,
        folds=folds,
        variants=variants,
        overrides=(*size, *given),
        jobs=options.jobs,
        prealigned=options.prealigned,
    )
    for variant in variants:
        if not plan.settings(variant).trains_recognizer:
            raise BadUse(f"{variant} trains FESGAN alone: there is no recogniser to test")
    return plan, database, notes


def chosen_folds(database: Database, asked: int | None) -> tuple[int | None, list[str]]:
    """How many folds, None where the CSV says so, and a note where they are fewer than asked for.

    Raises `BadUse` for one person, and for what `pipelines.dataset.folds` refuses.
    """
    people = sorted({sample.subject for sample in database.samples})
    if len(people) < 2:
        raise BadUse(
            f"{database.root} shows one person ({people[0]}): to test on somebody who was not "
            "trained on takes two or more; a file's name up to its first _ is the person, or the "
            "CSV's column subject"
        )
    if any(sample.fold is not None for sample in database.samples):
        divide(database, asked)
        return None, []
    folds, notes = asked or FOLDS, []
    if folds > len(people):
        notes.append(f"{folds} folds of {len(people)} people cannot each test somebody: "
                     f"{len(people)} folds instead")  # fmt: skip
        folds = len(people)
    divide(database, folds)
    return folds, notes


def fitting(plan: Plan, known: Census) -> tuple[list[str], list[str]]:
    """The settings of every run, with a batch that the smallest training part fills, and a note
    where that is smaller than the size's."""
    asked, there = plan.settings(plan.final).batch_size, known.smallest_training_part
    given = any(text.partition("=")[0].strip() == "batch_size" for text in plan.overrides)
    if asked <= there or given:
        return list(plan.overrides), []
    note = f"the smallest training part has {there} pictures: batch_size={there} instead of {asked}"
    return [*plan.overrides, f"batch_size={there}"], [note]


def estimate(plan: Plan, known: Census, settings: list[str]) -> dict[str, float]:
    """Minutes of the trainings that are left: "crossval" and "everybody". Measured in a process
    of its own, if there is anything left. Raises `BadUse` or `FailedWork` where that fails.
    """
    cross = cross_validation(plan, known, settings)
    todo = jobs_of(cross)
    final = cross.settings(plan.final, 0)
    begun = max([0 if final.trains_fesgan else final.pretrain_iterations,
                 *files.steps(plan.run(plan.final, ALL) / files.CHECKPOINTS)])  # fmt: skip
    if not todo and begun >= final.max_iterations:
        return {"crossval": 0.1, "everybody": 0.1}
    words = ["-m", "fesr_tf.own_data.step_time", "--db", DATABASE, "--data", str(plan.data),
             "--fold", str(known.folds[0]), "--variants", *plan.variants, *settings]  # fmt: skip
    print("\nmeasures how long a step of training takes here …", flush=True)
    found = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    if found.returncode:
        kind = BadUse if found.returncode == BadUse.exit_code else FailedWork
        raise kind("nothing was trained, for the reason above")
    paces = json.loads(found.stdout.splitlines()[-1])
    named = {variant: cross.settings(variant, 0) for variant in plan.variants}
    if any(job.name.startswith(f"{FIRST} ") for job in todo):
        named[FIRST] = cross.settings(FIRST, 0)
    for variant, stages in paces.items():
        steps = ", ".join(f"{each:.2g} s ({stage})" for stage, each in stages.items())
        print(f"  {variant}: {steps} a step")
    alone = (
        step_time.seconds(paces, plan.final, final, begun, final.max_iterations) + step_time.PROCESS
    )
    return {
        "crossval": step_time.seconds_of_jobs(paces, todo, named) / 60,
        "everybody": alone / 60,
    }


def say(head: str, said: list[str]) -> None:
    """A heading and sentences under it."""
    print(f"\n{head}")
    for sentence in said:
        print(f"- {plain(sentence)}", flush=True)


@command
def main(argv: list[str] | None = None) -> int:
    """Goes the whole way; 0, or the exit code of the stage that failed."""
    options = parser().parse_intermixed_args(argv)
    plan, database, notes = planned(options)
    plan.settle(database)
    began = time.monotonic()
    for note in notes:
        print(f"note: {plain(note)}", file=sys.stderr, flush=True)
    if code := run_stages(first_stages(plan), call):
        return code
    manifest = manifests.load(plan.data)
    known = take(plan.data, manifest)
    settings, notes = fitting(plan, known)
    say("What these data can show:", [*sentences(manifest, known), *notes])
    times = estimate(plan, known, settings)
    photo = plan.photo(database)
    todo = last_stages(plan, known, settings, times, photo)
    left = sum(stage.minutes for stage in todo if not stage.finished())
    print(
        f"\nabout {minutes(left)} from here on: {minutes(times['crossval'])} for the "
        f"cross-validation, {minutes(times['everybody'])} for everybody, and the rest",
        flush=True,
    )
    if options.dry_run:
        return 0
    code = run_stages(todo, call)
    if code == 0:
        result = json.loads(plan.crossval.read_text(encoding="utf-8"))
        say("What was found:", ending.sentences(result, manifest, known, plan.final))
        print(f"\n{ending.places(plan, photo)}")
        print(f"\ntook {minutes((time.monotonic() - began) / 60)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
