"""`python -m fesr_tf.crossval --db NAME`: every variant trained and tested on every fold.

Each training and each evaluation is a process of the usual command. What is finished is not done
again, training goes on where it stopped, and stage 1 is trained once a fold for all variants that
have it in common. Results: `<runs>/<db>/crossval.json` and `.csv`, and the table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from fesr_tf import config as configs
from fesr_tf import crossval_results as results
from fesr_tf import first_stage, jobs, runs
from fesr_tf.checkpoints import ABOUT
from fesr_tf.config import Config
from fesr_tf.crossval_results import Unit
from fesr_tf.jobs import DONE, SKIPPED, STOPPED, Command, Job, Outcome
from pipelines import manifest as manifests
from pipelines.errors import BadUse, FailedWork, command
from pipelines.files import sha256_of, write_whole
from pipelines.manifest import Manifest

FIG_8 = ("BASELINE", "FESR_SL", "FESR_OneSt", "FESR_Real", "FESR_JL-IL", "FESR_JL-RDBP", "FESR_JL")
FIRST = "FG"  # the variant that is stage 1 and nothing else
INTERRUPTED = 130


@dataclass(frozen=True)
class Plan:
    """What is cross-validated, and where it lies. Raises `BadUse` for what cannot be."""

    database: str
    data: Path
    runs: Path
    manifest: Manifest
    variants: tuple[str, ...]
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    checkpoint: str = runs.LAST
    overrides: tuple[str, ...] = field(default=())

    def __post_init__(self):
        people = self.manifest.counts.get("by_subject", {})
        if len(people) < 2 or self.manifest.folds < 2:
            raise BadUse(
                f"{self.data} holds {len(people)} people in {self.manifest.folds} folds: to test "
                "on a person who was not trained on takes two or more of both"
            )
        if wrong := [fold for fold in self.folds if not 0 <= fold < self.manifest.folds]:
            raise BadUse(f"{self.data} has folds 0 to {self.manifest.folds - 1}, not {wrong[0]}")
        if any(text.partition("=")[0].strip() == "seed" for text in self.overrides):
            raise BadUse("seed is not a setting here: give --seeds")
        for variant in self.variants:
            for seed in self.seeds:
                if not self.settings(variant, seed).trains_recognizer:
                    raise BadUse(f"{variant} trains FESGAN alone: there is no recogniser to test")

    def units(self) -> list[Unit]:
        """Everything there is to train, fold after fold."""
        return [Unit(v, f, s) for s in self.seeds for f in self.folds for v in self.variants]

    def home(self, seed: int) -> Path:
        """The folder of all runs of a seed: that of the plain command for seed 0."""
        return self.runs / f"seed-{seed}" if seed else self.runs

    def folder(self, unit: Unit) -> Path:
        return runs.run_folder(self.home(unit.seed), self.database, unit.variant, unit.fold)

    @property
    def output(self) -> Path:
        """Where crossval.json lies."""
        return self.runs / self.database

    def given(self, variant: str, seed: int) -> list[str]:
        """The settings of a variant's runs, without those that would make it another variant."""
        own = configs.own_keys(variant) if variant in configs.names("variants") else ()
        kept = [text for text in self.overrides if text.partition("=")[0].strip() not in own]
        return [*kept, f"seed={seed}"]

    def settings(self, variant: str, seed: int) -> Config:
        return configs.resolve(self.database, variant, self.given(variant, seed))

    def evaluation(self, unit: Unit) -> Path:
        """The file with the answers of the chosen checkpoint: without a best one, the last's."""
        folder = self.folder(unit)
        best = self.checkpoint == runs.BEST and any((folder / runs.BEST).glob("step-*"))
        return folder / ("evaluation-best.json" if best else "evaluation.json")


def evaluation_of(plan: Plan, unit: Unit) -> dict | None:
    """The evaluation of a run that is finished, of these settings and data; None where there is
    anything left to do, or to refuse."""
    folder = plan.folder(unit)
    settings = plan.settings(unit.variant, unit.seed)
    if not _complete(plan, unit, settings):
        return None
    path = plan.evaluation(unit)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        best = path.name != "evaluation.json"
        place = folder / (runs.BEST if best else "checkpoints")
        newest = max(_steps(place)) if best else settings.max_iterations
        wanted = {"step": newest, "data_digest": plan.manifest.digest, "split": "test"}
        asked = found["predictions"]
        same = all(found[name] == value for name, value in wanted.items())
        # Evaluated before pictures told their pose: again, it is a matter of seconds.
        return found if same and all("yaw" in row for row in asked) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _steps(folder: Path) -> list[int]:
    names = (path.name.removeprefix("step-") for path in folder.glob("step-*"))
    return [int(name) for name in names if name.isdecimal()]


def _complete(plan: Plan, unit: Unit, settings: Config) -> bool:
    """Whether the run has come to its end, with these settings and data."""
    folder = plan.folder(unit)
    last = settings.max_iterations if settings.trains_recognizer else settings.pretrain_iterations
    if last not in _steps(folder / "checkpoints") or not (folder / "run.json").exists():
        return False
    same = runs.read_info(folder).data_digest == plan.manifest.digest
    return same and configs.load(folder / "config.yaml") == settings


def jobs_of(plan: Plan) -> list[Job]:
    """What is left to do, in order: for each fold stage 1 where two or more variants that have not
    begun have it in common, then the variants."""
    made: list[Job] = []
    for seed in plan.seeds:
        for fold in plan.folds:
            units = [Unit(variant, fold, seed) for variant in plan.variants]
            first = Unit(FIRST, fold, seed)
            sharing = _sharing(plan, units, first)
            before: str | None = None
            if sharing and not _complete(plan, first, plan.settings(FIRST, seed)):
                made.append(_job(plan, first))
                before = str(first)
            for unit in units:
                if evaluation_of(plan, unit) is None:
                    follows = unit in sharing
                    made.append(
                        _job(plan, unit, first if follows else None, before if follows else None)
                    )
    return made


def _sharing(plan: Plan, units: Sequence[Unit], first: Unit) -> list[Unit]:
    """Those that have not begun and whose stage 1 is FG's; none where only one would gain."""
    try:
        settings = plan.settings(FIRST, first.seed)
    except BadUse:  # without a stage 1
        return []
    found = []
    for unit in units:
        own = plan.settings(unit.variant, unit.seed)
        equal = first_stage.has_one(own) and not first_stage.differences(settings, own)
        if equal and not _steps(plan.folder(unit) / "checkpoints"):
            found.append(unit)
    return found if len(found) > 1 or _complete(plan, first, settings) else []


def _job(plan: Plan, unit: Unit, first: Unit | None = None, after: str | None = None) -> Job:
    folder, settings = plan.folder(unit), plan.settings(unit.variant, unit.seed)
    train = ["-m", "fesr_tf.train", "--db", plan.database, "--data", str(plan.data),
             "--fold", str(unit.fold), "--variant", unit.variant,
             "--runs", str(plan.home(unit.seed))]  # fmt: skip
    if first:
        train += ["--first-stage", str(plan.folder(first))]
    train += plan.given(unit.variant, unit.seed)
    commands = [Command(tuple(train), folder / "train.log")]
    ends = settings.pretrain_iterations
    if settings.trains_recognizer:
        words = ["-m", "fesr_tf.evaluate", str(folder), "--data", str(plan.data),
                 "--checkpoint", plan.checkpoint]  # fmt: skip
        commands.append(Command(tuple(words), folder / "evaluate.log"))
        ends = settings.max_iterations
    begins = 0 if settings.trains_fesgan and not first else settings.pretrain_iterations
    begins = max([begins, *_steps(folder / "checkpoints")])
    return Job(str(unit), tuple(commands), min(begins, ends), ends, after)


class Record:
    """The seconds that each run has taken so far, over all starts of this command, in
    crossval.json; and that file."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.path = plan.output / "crossval.json"
        self.seconds: dict[str, list[float | None]] = {}
        self.status: dict[str, str] = {}
        try:
            before = json.loads(self.path.read_text(encoding="utf-8"))
            same = before["format"] == results.FORMAT
            for run in [*before["runs"], *before["first_stages"]] if same else []:
                unit = Unit(run["variant"], run["fold"], run["seed"])
                # What was learnt anew meanwhile has other settings, data or no checkpoint.
                if run["config_digest"] and run["config_digest"] == self._digest(unit):
                    self.seconds[str(unit)] = [run["train_seconds"], run.get("evaluate_seconds")]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or not one of ours: it is written anew

    def add(self, job: Job, outcome: Outcome) -> None:
        """Notes how a job ended, and writes what there is now."""
        self.status[job.name] = outcome.status
        train, evaluate = self.seconds.get(job.name, [None, None])
        train = round((train or 0.0) + outcome.seconds[0], 1)
        if len(outcome.seconds) > 1:
            evaluate = round(outcome.seconds[1], 1)
        self.seconds[job.name] = [train, evaluate]
        self.write()

    def write(self) -> dict:
        """Writes crossval.json and crossval.csv. Returns what the first holds."""
        plan = self.plan
        found = {unit: evaluation_of(plan, unit) for unit in plan.units()}
        there = {unit: each for unit, each in found.items() if each is not None}
        results.refuse_mixed({plan.folder(unit): each for unit, each in there.items()})
        given = {
            variant: results.answers({u: e for u, e in there.items() if u.variant == variant})
            for variant in plan.variants
        }
        classes, folds = plan.manifest.classes, plan.manifest.folds
        firsts = [Unit(FIRST, fold, seed) for seed in plan.seeds for fold in plan.folds]
        result = {
            "format": results.FORMAT,
            "database": plan.database,
            "data": str(plan.data),
            "data_digest": plan.manifest.digest,
            "classes": list(classes),
            "folds": folds,
            "variants": list(plan.variants),
            "baseline": plan.variants[0],
            "asked": {"folds": list(plan.folds), "seeds": list(plan.seeds)},
            "checkpoint": plan.checkpoint,
            "overrides": list(plan.overrides),
            "runs": [self._entry(unit, each) for unit, each in found.items()],
            "first_stages": [
                self._first(unit) for unit in firsts if (plan.folder(unit) / "run.json").exists()
            ],
            "summaries": [
                results.summary(variant, each, classes, folds, len(plan.seeds))
                for variant, each in given.items()
            ],
            "comparisons": results.compare(plan.variants[0], given),
        }
        write_whole(self.path, results.as_json(result))
        write_whole(self.path.with_suffix(".csv"), results.as_csv(result["runs"]))
        return result

    def _entry(self, unit: Unit, evaluation: dict | None) -> dict:
        folder = self.plan.folder(unit)
        status = self.status.get(str(unit), SKIPPED)
        if evaluation:
            status = DONE
        elif status in (SKIPPED, DONE):
            status = STOPPED if _steps(folder / "checkpoints") else SKIPPED
        train, evaluate = self.seconds.get(str(unit), [None, None])
        path = self.plan.evaluation(unit)
        return results.entry(
            unit,
            status,
            evaluation,
            {
                "first_stage": first_stage.taken_from(folder),
                "config_digest": self._digest(unit),
                "cores": self._about(unit).get("cores"),
                "tensorflow": self._about(unit).get("tensorflow"),
                "train_seconds": train,
                "evaluate_seconds": evaluate,
                "folder": self._relative(folder),
                "evaluation": self._relative(path) if evaluation else None,
            },
        )

    def _first(self, unit: Unit) -> dict:
        settings = self.plan.settings(unit.variant, unit.seed)
        complete = _complete(self.plan, unit, settings)
        return {
            **unit._asdict(),
            "status": DONE if complete else self.status.get(str(unit), STOPPED),
            "config_digest": self._digest(unit),
            "train_seconds": self.seconds.get(str(unit), [None])[0],
            "folder": self._relative(self.plan.folder(unit)),
        }

    def _digest(self, unit: Unit) -> str | None:
        path = self.plan.folder(unit) / "config.yaml"
        return sha256_of(path) if path.exists() else None

    def _about(self, unit: Unit) -> dict:
        """checkpoint.json of the run's newest checkpoint."""
        place = self.plan.folder(unit) / "checkpoints"
        steps = _steps(place)
        try:
            return json.loads((place / f"step-{max(steps):06d}" / ABOUT).read_text("utf-8"))
        except (OSError, ValueError):
            return {}

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self.plan.output)


class Line:
    """One line over the whole: how many are done, which run, steps, rate and time left."""

    def __init__(self, todo: Sequence[Job], done: int):
        self.done, self.all = done, done + len(todo)
        self.steps = 0
        total = sum(job.ends - job.begins for job in todo)
        shape = "{desc}, step {n} of {total}, {rate_fmt}, left {remaining}"
        terminal = sys.stderr.isatty()
        self.bar = tqdm(total=total, unit="step", bar_format=shape, smoothing=0.05,
                        mininterval=1.0 if terminal else 30.0)  # fmt: skip

    def show(self, state: jobs.State) -> None:
        names = ", ".join(state.running) or "nothing"
        said = f"{self.done + state.ended} of {self.all} done, running: {names}"
        self.bar.set_description_str(said, refresh=False)
        self.bar.update(state.steps - self.steps)
        self.steps = state.steps

    def say(self, text: str) -> None:
        """A line of its own, which does not break the moving one."""
        tqdm.write(text, file=sys.stderr)


def cross_validate(plan: Plan, at_once: int) -> int:
    """Trains and evaluates what is left, `at_once` at a time, writes and prints the results.

    0; 1 where a job failed, after all others ended; 130 where a signal stopped it.
    """
    todo = jobs_of(plan)
    record = Record(plan)
    ready = sum(evaluation_of(plan, unit) is not None for unit in plan.units())
    line = Line(todo, ready)
    failed: list[str] = []

    def ended(job: Job, outcome: Outcome) -> None:
        seconds = ", ".join(f"{each:.0f} s" for each in outcome.seconds)
        line.say(f"{job.name}: {outcome.status} ({seconds})")
        if outcome.status == jobs.FAILED:
            failed.append(job.name)
            log = job.commands[len(outcome.seconds) - 1].log
            line.say(f"error: {job.name} failed; {log} ends with\n{outcome.tail}")
        record.add(job, outcome)

    try:
        outcomes, stopped = jobs.run(todo, at_once, line.show, ended) if todo else ({}, False)
    finally:
        line.bar.close()
    result = record.write()
    print(results.table(result))
    print(f"\nwritten: {record.path}, {record.path.with_suffix('.csv')}")
    if stopped:
        print("stopped: run the same command again to go on", file=sys.stderr)
        return INTERRUPTED
    left = [name for name, each in outcomes.items() if each.status == SKIPPED]
    if failed:
        after = f"; not run after that: {', '.join(left)}" if left else ""
        raise FailedWork(
            f"{len(failed)} of {len(todo)} jobs failed ({', '.join(failed)}){after}: see their "
            "logs, and run the same command again to go on"
        )
    return 0


def numbers(text: str, what: str) -> tuple[int, ...]:
    """'0,2,5' -> (0, 2, 5). Raises `BadUse` for anything else, and for one number twice."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise BadUse(f"{what} {text!r} is not a list of whole numbers such as 0,1,2")
    found = tuple(int(part) for part in parts)
    if len(set(found)) < len(found):
        raise BadUse(f"{what} {text!r} names a number twice")
    return found


def parser() -> argparse.ArgumentParser:
    """The command line of this command."""
    made = argparse.ArgumentParser(
        prog="python -m fesr_tf.crossval",
        description="Trains and tests every variant on every fold, and compares them.",
    )
    made.add_argument("--db", required=True, help="database: a file in configs/ names its settings")
    made.add_argument("--data", type=Path, help="preprocessed folder (default: data/<db>)")
    made.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all runs [runs]")
    made.add_argument("--variants", nargs="+", default=FIG_8, metavar="V",
                      help="the first is what the others are compared with [those of Fig. 8]")  # fmt: skip
    made.add_argument("--folds", default="all", help="all, or as in 0,1 [all]")
    made.add_argument("--seeds", default="0", help="as in 0,1,2 [0]")
    made.add_argument("--jobs", type=int, default=1, help="processes at once [1]")
    runs.add_checkpoint_option(made)
    made.add_argument("overrides", nargs="*", metavar="key=value", help="settings of every run")
    return made


def split_overrides(options: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Variants and overrides: argparse gives `key=value` after `--variants A B` to the variants."""
    variants = [text for text in options.variants if "=" not in text]
    overrides = [text for text in options.variants if "=" in text] + options.overrides
    if len(set(variants)) < len(variants):
        raise BadUse(f"--variants names one twice: {', '.join(variants)}")
    if not variants:
        raise BadUse("--variants names none")
    return tuple(variants), tuple(overrides)


@command
def main(argv: list[str] | None = None) -> int:
    """Cross-validates; exit code 0, 1 (a job failed), 2 (bad use) or 130 (stopped)."""
    options = parser().parse_args(argv)
    if options.jobs < 1:
        raise BadUse(f"--jobs must be at least 1, not {options.jobs}")
    variants, overrides = split_overrides(options)
    configs.resolve(options.db)  # a database that does not exist, before its folder is looked for
    data = options.data or Path("data") / options.db
    manifest = manifests.load(data)
    all_folds = tuple(range(manifest.folds))
    plan = Plan(
        database=options.db,
        data=data,
        runs=options.runs,
        manifest=manifest,
        variants=variants,
        folds=all_folds if options.folds == "all" else numbers(options.folds, "--folds"),
        seeds=numbers(options.seeds, "--seeds"),
        checkpoint=options.checkpoint,
        overrides=overrides,
    )
    return cross_validate(plan, options.jobs)


if __name__ == "__main__":
    sys.exit(main())
