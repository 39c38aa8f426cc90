"""Plans a cross-validation: its runs, their folders, and the jobs that are left."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config import Config
from fesr_tf.config.variants import FIG_8
from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.processes.jobs import Command, Job
from fesr_tf.runs import files
from fesr_tf.training import first_stage
from pipelines.common.errors import BadUse, FesrError
from pipelines.common.subjects import stated
from pipelines.dataset.manifest import Manifest
from pipelines.dataset.subjects import counted

FIRST = "FG"
"""The variant of stage 1 alone: its run ends, and is kept, where R would start."""


@dataclass(frozen=True)
class Plan:
    """The database, variants, folds, seeds and folders. Raises `BadUse` for an impossible plan."""

    database: str
    data: Path
    runs: Path
    manifest: Manifest
    variants: tuple[str, ...]
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    checkpoint: str = runs.LAST
    overrides: tuple[str, ...] = ()
    _settings: dict[tuple[str, int], Config] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self):
        people, unknown = counted(self.manifest)
        if people + unknown < 2:
            raise BadUse(
                f"{self.data} holds {stated(people, unknown)}: a test on held-out subjects "
                "requires at least two"
            )
        if wrong := [fold for fold in self.folds if not 0 <= fold < self.manifest.folds]:
            raise BadUse(f"{self.data} has folds 0 to {self.manifest.folds - 1}, not {wrong[0]}")
        if any(text.partition("=")[0].strip() == "seed" for text in self.overrides):
            raise BadUse("seed cannot be set here: use --seeds")
        for variant in self.variants:
            for seed in self.seeds:
                if not self.settings(variant, seed).trains_recognizer:
                    raise BadUse(
                        f"{variant} trains FESGAN alone and has no recogniser to test; omit it"
                    )

    def units(self) -> list[Unit]:
        """Every training, fold after fold."""
        return [Unit(v, f, s) for s in self.seeds for f in self.folds for v in self.variants]

    def home(self, seed: int) -> Path:
        """The folder of all runs of a seed; for seed 0 that of fesr_tf.train."""
        return self.runs / f"seed-{seed}" if seed else self.runs

    def folder(self, unit: Unit) -> Path:
        return runs.run_folder(self.home(unit.seed), self.database, unit.variant, unit.fold)

    @property
    def output(self) -> Path:
        """The folder of crossval.json."""
        return self.runs / self.database

    def given(self, variant: str, seed: int) -> list[str]:
        """The overrides of a variant's runs, without those that would make it another variant."""
        kept = [text for text in self.overrides if text not in self.withheld(variant)]
        return [*kept, f"seed={seed}"]

    def withheld(self, variant: str) -> list[str]:
        """The overrides that do not apply to a variant, as their keys define it."""
        return configs.withheld(variant, self.overrides)

    def settings(self, variant: str, seed: int) -> Config:
        """The configuration of a variant's runs. Raises `BadUse` for an invalid one."""
        if (variant, seed) not in self._settings:
            overrides = self.given(variant, seed)
            self._settings[variant, seed] = configs.resolve(self.database, variant, overrides)
        return self._settings[variant, seed]

    def evaluation(self, unit: Unit) -> Path:
        """The evaluation of the chosen checkpoint; without a best one, of the last."""
        folder = self.folder(unit)
        best = self.checkpoint == files.BEST and files.steps(folder / files.BEST)
        return folder / files.evaluation(checkpoint=files.BEST if best else files.LAST)


def evaluation_of(plan: Plan, unit: Unit) -> dict | None:
    """The evaluation of a finished run with these settings and data; None where anything is left
    to do, or the settings or data differ."""
    settings = plan.settings(unit.variant, unit.seed)
    if not complete(plan, unit, settings):
        return None
    path = plan.evaluation(unit)
    try:
        evaluation = json.loads(path.read_text(encoding="utf-8"))
        best = path.name != files.evaluation()
        step = max(files.steps(path.parent / files.BEST)) if best else settings.max_iterations
        expected = {"step": step, "data_digest": plan.manifest.digest, "split": "test"}
        same = all(evaluation[name] == value for name, value in expected.items())
        # Older evaluations lack the yaw of each image; they are repeated within seconds.
        return (
            evaluation if same and all("yaw" in row for row in evaluation["predictions"]) else None
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def complete(plan: Plan, unit: Unit, settings: Config) -> bool:
    """Whether the run is complete, with these settings and data."""
    folder = plan.folder(unit)
    last = settings.last_iteration
    if last not in files.steps(folder / files.CHECKPOINTS) or not files.is_run(folder):
        return False
    same = runs.read_info(folder).data_digest == plan.manifest.digest
    return same and configs.load(folder / files.CONFIG) == settings


def finished(plan: Plan, unit: Unit) -> bool:
    """Whether nothing is left to do for a run; of `FIRST`, to train."""
    if unit.variant == FIRST:
        return complete(plan, unit, plan.settings(FIRST, unit.seed))
    return evaluation_of(plan, unit) is not None


def with_present(plan: Plan) -> tuple[Plan, list[str]]:
    """The plan with the variants, folds and seeds of every run that was started in its folder with
    its settings and data, by whichever call; and why others are left out."""
    kept, left_out = [], []
    for unit in _present(plan):
        try:
            why = _unlike(plan, unit)
        except FesrError as error:
            why = str(error)
        if why is None:
            kept.append(unit)
        elif why:
            left_out.append(f"{plan.folder(unit)} ({why})")
    more = sorted(
        {unit.variant for unit in kept} - set(plan.variants),
        key=lambda name: (FIG_8.index(name) if name in FIG_8 else len(FIG_8), name),
    )
    whole = dataclasses.replace(
        plan,
        variants=(*plan.variants, *more),
        folds=tuple(sorted({*plan.folds, *(unit.fold for unit in kept)})),
        seeds=tuple(sorted({*plan.seeds, *(unit.seed for unit in kept)})),
    )
    return whole, left_out


def _present(plan: Plan) -> Iterator[Unit]:
    """The runs in the plan's folder that have a recogniser, whatever their settings and data."""
    numbers = (path.name.removeprefix("seed-") for path in plan.runs.glob("seed-*"))
    for seed in sorted({0, *(int(number) for number in numbers if number.isdecimal())}):
        home = plan.home(seed)
        for path in sorted((home / plan.database).glob("*/fold-*")):
            fold, variant = path.name[5:], path.parent.name
            if variant != FIRST and fold.isdecimal() and files.is_run(path):
                yield Unit(variant, int(fold), seed)


def _unlike(plan: Plan, unit: Unit) -> str | None:
    """How the data or settings of a run differ from those of the plan, "" where it has nothing to
    test, None where they are equal."""
    folder, settings = plan.folder(unit), plan.settings(unit.variant, unit.seed)
    if not settings.trains_recognizer:
        return ""
    if runs.read_info(folder).data_digest != plan.manifest.digest:
        return "other data"
    changed = configs.differences(configs.load(folder / files.CONFIG), settings)
    return f"other {', '.join(changed)}" if changed else None


def jobs_of(plan: Plan) -> list[Job]:
    """The jobs that are left, in order: for each fold the stage 1 that two or more new runs share,
    then the variants."""
    jobs: list[Job] = []
    for seed in plan.seeds:
        for fold in plan.folds:
            units = [Unit(variant, fold, seed) for variant in plan.variants]
            first = Unit(FIRST, fold, seed)
            sharing = _sharing(plan, units, first)
            before: str | None = None
            if sharing and not complete(plan, first, plan.settings(FIRST, seed)):
                jobs.append(_job(plan, first))
                before = str(first)
            for unit in units:
                if evaluation_of(plan, unit) is None:
                    shared = (first, before) if unit in sharing else (None, None)
                    jobs.append(_job(plan, unit, *shared))
    return jobs


def _sharing(plan: Plan, units: Sequence[Unit], first: Unit) -> list[Unit]:
    """The new runs whose stage 1 equals FG's; none where sharing it would save nothing."""
    try:
        settings = plan.settings(FIRST, first.seed)
    except BadUse:  # without a stage 1
        return []
    sharing = []
    for unit in units:
        own = plan.settings(unit.variant, unit.seed)
        equal = first_stage.has_one(own) and not first_stage.differences(settings, own)
        if equal and not files.steps(plan.folder(unit) / files.CHECKPOINTS):
            sharing.append(unit)
    return sharing if len(sharing) > 1 or complete(plan, first, settings) else []


def _job(plan: Plan, unit: Unit, first: Unit | None = None, after: str | None = None) -> Job:
    folder, settings = plan.folder(unit), plan.settings(unit.variant, unit.seed)
    train = ["-m", "fesr_tf.train", "--db", plan.database, "--data", str(plan.data),
             "--fold", str(unit.fold), "--variant", unit.variant,
             "--runs", str(plan.home(unit.seed))]  # fmt: skip
    if first:
        train += ["--first-stage", str(plan.folder(first))]
    train += plan.given(unit.variant, unit.seed)
    commands = [Command(tuple(train), folder / files.TRAIN_LOG)]
    ends = settings.pretrain_iterations
    if settings.trains_recognizer:
        words = ["-m", "fesr_tf.evaluate", str(folder), "--data", str(plan.data),
                 "--checkpoint", plan.checkpoint]  # fmt: skip
        commands.append(Command(tuple(words), folder / files.EVALUATE_LOG))
        ends = settings.max_iterations
    begins = 0 if settings.trains_fesgan and not first else settings.pretrain_iterations
    begins = max([begins, *files.steps(folder / files.CHECKPOINTS)])
    return Job(str(unit), tuple(commands), min(begins, ends), ends, after)


def numbers(text: str, what: str) -> tuple[int, ...]:
    """'0,2,5' -> (0, 2, 5). Raises `BadUse` for anything else, and for a repeated number."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise BadUse(f"{what} {text!r} is not a list of whole numbers such as 0,1,2")
    values = tuple(int(part) for part in parts)
    if len(set(values)) < len(values):
        raise BadUse(f"{what} {text!r} repeats a number; name each once")
    return values


def split_overrides(options: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Variants and overrides: argparse gives `key=value` after `--variants A B` to the variants."""
    variants = [text for text in options.variants if "=" not in text]
    overrides = [text for text in options.variants if "=" in text] + options.overrides
    if len(set(variants)) < len(variants):
        raise BadUse(f"--variants repeats a name: {', '.join(variants)}; name each once")
    if not variants:
        raise BadUse("--variants names no variant; give at least one")
    return tuple(variants), tuple(overrides)
