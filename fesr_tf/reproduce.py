"""`python -m fesr_tf.reproduce --db NAME`: the paper's own rows and figures for one database.

Cross-validates the variants that the paper compares on it (Table V, Fig. 8; Table VI for Multi-PIE;
Table VII for TFD), measures FG and FG-IP on every fold (Tables III and IV, as means over folds),
trains the variants of Fig. 4, and plots the figures. Every stage is a command that is printed and
then run as its own process. Finished stages are not repeated, and training resumes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config.variants import FIG_8
from fesr_tf.crossvalidation import plan as crossval_plan
from fesr_tf.figures.faces import FIG_4
from fesr_tf.own_data import step_time
from fesr_tf.own_data.plan import after_training, applicable
from fesr_tf.processes.sequence import Stage, call, minutes, run_stages
from fesr_tf.report import paper_values
from fesr_tf.runs import files
from pipelines.common.errors import BadUse, FailedWork, command
from pipelines.dataset import manifest as manifests

BASELINE, JOINT = "BASELINE", "FESR_JL"
MEASURED = ("FG", "FG-IP")
"""The variants of Tables III and IV: one generator with, one without the identity loss."""


@dataclass(frozen=True)
class Request:
    """What is reproduced. recognizers: the variants to cross-validate; with_faces: whether the
    paper shows generated faces of this database."""

    database: str
    data: Path
    runs: Path
    output: Path
    recognizers: tuple[str, ...]
    with_faces: bool
    folds: tuple[int, ...]
    jobs: int
    new: int
    overrides: tuple[str, ...]

    def run(self, variant: str, fold: int) -> Path:
        return runs.run_folder(self.runs, self.database, variant, fold)

    def complete(self, variant: str, fold: int) -> bool:
        """Whether a run of a variant of FESGAN alone has ended."""
        end = configs.resolve(self.database, variant, applicable(variant, self.overrides))
        saved = files.steps(self.run(variant, fold) / files.CHECKPOINTS)
        return end.last_iteration in saved


def printed_rows(database: str) -> list[paper_values.Printed]:
    """The paper's numbers for a database, of every method."""
    return [printed for printed in paper_values.PRINTED if printed.database == database]


def recognizers_of(database: str) -> tuple[str, ...]:
    """The variants whose accuracy on it the paper gives; those of Fig. 8 for other databases."""
    methods = {printed.method for printed in printed_rows(database)}
    return tuple(name for name in FIG_8 if name in methods) or FIG_8


def others_of(database: str) -> list[str]:
    """The methods of other authors in the paper's tables of it, which this project lacks."""
    own = {*FIG_8, "FESGAN", *MEASURED}
    return sorted({printed.method for printed in printed_rows(database)} - own)


def stages(request: Request, costs: dict[str, float]) -> list[Stage]:
    """What is left and what is done, in order. costs: minutes, of "crossval" and "FG" (one run)."""
    common = ["--db", request.database, "--data", str(request.data), "--runs", str(request.runs)]

    def train(variant: str, fold: int) -> list[str]:
        settings = applicable(variant, request.overrides)
        return [
            "-m",
            "fesr_tf.train",
            *common,
            "--fold",
            str(fold),
            "--variant",
            variant,
            *settings,
        ]

    def trained(about: str, jobs: list[tuple[str, int]]) -> Stage:
        left = sum(not request.complete(*job) for job in jobs)
        return Stage(about, [train(*job) for job in jobs], costs["FG"] * left,
                     done=lambda: all(request.complete(*job) for job in jobs))  # fmt: skip

    def measured(fold: int) -> Stage:
        folders = [request.run(variant, fold) for variant in MEASURED]
        words = ["-m", "fesr_tf.measure", *map(str, folders), "--new", str(request.new), "--judge",
                 str(request.run(BASELINE, fold))]  # fmt: skip
        return Stage(
            f"measure the images of {' and '.join(MEASURED)} of fold {fold}: Tables III and IV",
            [words],
            1.0,
            done=lambda: all(after_training(f / files.SYNTHESIS, f) for f in folders),
        )

    crossval = ["-m", "fesr_tf.crossval", *common, "--jobs", str(request.jobs), "--folds",
                ",".join(map(str, request.folds)), "--variants", *request.recognizers,
                *request.overrides]  # fmt: skip
    first = request.folds[0]
    shown = list(request.recognizers)
    todo = [
        Stage(
            f"cross-validate {', '.join(request.recognizers)}: the accuracies",
            [crossval],
            costs["crossval"],
        )
    ]
    if request.with_faces:
        extra = [name for name in FIG_4 if name not in MEASURED]
        shown += [*MEASURED, *extra]
        todo += [
            trained(
                f"train {' and '.join(MEASURED)} on every fold",
                [(variant, fold) for fold in request.folds for variant in MEASURED],
            ),
            *map(measured, request.folds),
            trained(f"train {', '.join(extra)}: Fig. 4 and 7", [(name, first) for name in extra]),
        ]
    folders = [str(request.run(variant, first)) for variant in shown]
    measured_runs = [str(request.run(v, fold)) for fold in request.folds for v in MEASURED]
    home = str(request.runs / request.database)
    report = [home, *(measured_runs if request.with_faces else [])]
    return [
        *todo,
        Stage(
            "plot the figures",
            [["-m", "fesr_tf.figures", home, *folders, "--output",
              str(request.output / "figures")]],
            1.0,
        ),
        Stage(
            "write the report",
            [["-m", "fesr_tf.report", *report, "--output", str(request.output / "report")]],
            0.2,
        ),
    ]  # fmt: skip


def estimate(request: Request) -> dict[str, float]:
    """Minutes of "crossval" and of one run of "FG", from step times measured in a process of its
    own; BASELINE stands for R alone and FESR_JL for every other variant."""
    plan = crossval_plan.Plan(
        request.database, request.data, request.runs, manifests.load(request.data),
        request.recognizers, request.folds, (0,), overrides=request.overrides,
    )  # fmt: skip
    todo = crossval_plan.jobs_of(plan)
    generators = [(v, f) for f in request.folds for v in (*MEASURED, *FIG_4)]
    if not todo and (not request.with_faces or all(request.complete(*job) for job in generators)):
        return {"crossval": 0.1, "FG": 0.0}
    print("measuring the time of a training step …", flush=True)
    words = ["-m", "fesr_tf.own_data.step_time", "--db", request.database, "--data",
             str(request.data), "--fold", str(request.folds[0]), "--variants", BASELINE, JOINT,
             *request.overrides]  # fmt: skip
    child = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    if child.returncode:
        kind = BadUse if child.returncode == BadUse.exit_code else FailedWork
        raise kind("nothing was trained, for the reason above")
    times = json.loads(child.stdout.splitlines()[-1])
    names = {job.name.partition(" ")[0] for job in todo} | {"FG"}
    times |= {name: times[JOINT] for name in names if name not in times}
    settings = {name: plan.settings(name, 0) for name in names}
    ends = settings["FG"].last_iteration
    one = step_time.seconds(times, "FG", settings["FG"], 0, ends) + step_time.PROCESS
    every = step_time.seconds_of_jobs(times, todo, settings)
    return {"crossval": every / 60, "FG": one / 60}


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.reproduce",
        description="The paper's tables and figures for one database, by one command.",
    )
    add = parser.add_argument
    add("--db", required=True, help="database: a file in configs/ names its settings")
    add("--data", type=Path, help="preprocessed folder (default: data/<db>)")
    add("--runs", type=Path, default=Path("runs"), help="folder of all runs [runs]")
    add("--output", type=Path, help="folder of figures and report [reproduction/<db>]")
    add("--folds", default="all", help="all, or a list such as 0,1 [all]")
    add("--jobs", type=int, default=1, help="simultaneous trainings of the cross-validation [1]")
    add("--new", type=int, default=500, help="new identities that are measured [500]")
    add("--dry-run", action="store_true", help="print the plan and its cost, and stop")
    add("overrides", nargs="*", metavar="key=value", help="settings of every run")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Runs every stage; 0, or the exit code of the stage that failed."""
    options = parser().parse_args(argv)
    if options.jobs < 1:
        raise BadUse(f"--jobs must be at least 1, not {options.jobs}")
    configs.resolve(options.db, overrides=options.overrides)
    data = options.data or Path("data") / options.db
    every = tuple(range(manifests.load(data).folds))
    request = Request(
        database=options.db,
        data=data,
        runs=options.runs,
        output=options.output or Path("reproduction") / options.db,
        recognizers=recognizers_of(options.db),
        with_faces=options.db not in ("multi_pie", "tfd"),
        folds=every if options.folds == "all" else crossval_plan.numbers(options.folds, "--folds"),
        jobs=options.jobs,
        new=options.new,
        overrides=tuple(options.overrides),
    )
    todo = stages(request, estimate(request))
    left = sum(stage.minutes for stage in todo if not stage.finished())
    for number, stage in enumerate(todo, 1):
        state = "done" if stage.finished() else f"about {minutes(stage.minutes)}"
        print(f"  {number}. {stage.about} ({state})")
    print(f"about {minutes(left)} on this machine")
    if others := others_of(options.db):
        print(f"not reproduced, as they are methods of others: {', '.join(others)}")
    if options.dry_run:
        return 0
    if code := run_stages(todo, call):
        return code
    print(f"\nreport: {request.output / 'report' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
