"""What a cross-validation trains, where each run lies, and what of it is left to do."""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config import Config
from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.processes.jobs import Command, Job
from fesr_tf.runs import files
from fesr_tf.training import first_stage
from pipelines.common.errors import BadUse
from pipelines.dataset.manifest import Manifest

FIRST = "FG"
"""The variant that is stage 1 and nothing else: its run ends, and is kept, where R would begin."""


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
        kept = [text for text in self.overrides if text not in self.withheld(variant)]
        return [*kept, f"seed={seed}"]

    def withheld(self, variant: str) -> list[str]:
        """The overrides that do not hold for a variant, as what they set makes it what it is."""
        return configs.withheld(variant, self.overrides)

    def settings(self, variant: str, seed: int) -> Config:
        """The configuration of a variant's runs. Raises `BadUse` for one that cannot be."""
        if (variant, seed) not in self._settings:
            made = configs.resolve(self.database, variant, self.given(variant, seed))
            self._settings[variant, seed] = made
        return self._settings[variant, seed]

    @functools.cached_property
    def _settings(self) -> dict[tuple[str, int], Config]:
        """What was read of them so far: it is asked for often, and files are slow."""
        return {}

    def evaluation(self, unit: Unit) -> Path:
        """The file with the answers of the chosen checkpoint: without a best one, the last's."""
        folder = self.folder(unit)
        best = self.checkpoint == files.BEST and files.steps(folder / files.BEST)
        return folder / files.evaluation(checkpoint=files.BEST if best else files.LAST)


def evaluation_of(plan: Plan, unit: Unit) -> dict | None:
    """The evaluation of a run that is finished, of these settings and data; None where there is
    anything left to do, or to refuse."""
    folder = plan.folder(unit)
    settings = plan.settings(unit.variant, unit.seed)
    if not complete(plan, unit, settings):
        return None
    path = plan.evaluation(unit)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        best = path.name != files.evaluation()
        place = folder / (files.BEST if best else files.CHECKPOINTS)
        newest = max(files.steps(place)) if best else settings.max_iterations
        wanted = {"step": newest, "data_digest": plan.manifest.digest, "split": "test"}
        asked = found["predictions"]
        same = all(found[name] == value for name, value in wanted.items())
        # Evaluated before pictures told their pose: again, it is a matter of seconds.
        return found if same and all("yaw" in row for row in asked) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def complete(plan: Plan, unit: Unit, settings: Config) -> bool:
    """Whether the run has come to its end, with these settings and data."""
    folder = plan.folder(unit)
    last = settings.last_iteration
    if last not in files.steps(folder / files.CHECKPOINTS) or not files.is_run(folder):
        return False
    same = runs.read_info(folder).data_digest == plan.manifest.digest
    return same and configs.load(folder / files.CONFIG) == settings


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
            if sharing and not complete(plan, first, plan.settings(FIRST, seed)):
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
        if equal and not files.steps(plan.folder(unit) / files.CHECKPOINTS):
            found.append(unit)
    return found if len(found) > 1 or complete(plan, first, settings) else []


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
    """'0,2,5' -> (0, 2, 5). Raises `BadUse` for anything else, and for one number twice."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise BadUse(f"{what} {text!r} is not a list of whole numbers such as 0,1,2")
    found = tuple(int(part) for part in parts)
    if len(set(found)) < len(found):
        raise BadUse(f"{what} {text!r} names a number twice")
    return found


def split_overrides(options: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Variants and overrides: argparse gives `key=value` after `--variants A B` to the variants."""
    variants = [text for text in options.variants if "=" not in text]
    overrides = [text for text in options.variants if "=" in text] + options.overrides
    if len(set(variants)) < len(variants):
        raise BadUse(f"--variants names one twice: {', '.join(variants)}")
    if not variants:
        raise BadUse("--variants names none")
    return tuple(variants), tuple(overrides)
