"""What a cross-validation knows of its runs, as crossval.json tells it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from fesr_tf.crossvalidation import outcomes as results
from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.crossvalidation.plan import FIRST, Plan, complete, evaluation_of
from fesr_tf.processes.jobs import DONE, SKIPPED, STOPPED, Job, Outcome
from fesr_tf.runs import Run, files
from fesr_tf.training import first_stage
from pipelines.common.files import sha256_of, write_whole


def summary_of(run: Run) -> dict | None:
    """What the crossval.json beside a run found of the run's variant, with its settings, on its
    data; None where there is none. accuracy, interval, right and pictures (pooled), people,
    folds_run, folds: as `crossval_results.summary` says."""
    path = run.folder.parent.parent / files.CROSSVAL
    info, digest = run.info, sha256_of(run.folder / files.CONFIG)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        same = found["format"] == results.FORMAT and found["data_digest"] == info.data_digest
        done = [
            each["config_digest"] == digest
            for each in found["runs"]
            if (each["variant"], each["seed"], each["status"])
            == (info.variant, run.config.seed, DONE)
        ]
        if not (same and found["checkpoint"] == run.checkpoint and done and all(done)):
            return None
        (summary,) = (each for each in found["summaries"] if each["variant"] == info.variant)
        return {
            **summary["pooled"],
            **{name: summary[name] for name in ("people", "folds_run", "folds")},
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Record:
    """The seconds that each run has taken so far, over all starts of this command, in
    crossval.json; and that file."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.path = plan.output / files.CROSSVAL
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
                self._first(unit) for unit in firsts if files.is_run(plan.folder(unit))
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
            status = STOPPED if files.steps(folder / files.CHECKPOINTS) else SKIPPED
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
        finished = complete(self.plan, unit, settings)
        return {
            **unit._asdict(),
            "status": DONE if finished else self.status.get(str(unit), STOPPED),
            "config_digest": self._digest(unit),
            "train_seconds": self.seconds.get(str(unit), [None])[0],
            "folder": self._relative(self.plan.folder(unit)),
        }

    def _digest(self, unit: Unit) -> str | None:
        path = self.plan.folder(unit) / files.CONFIG
        return sha256_of(path) if path.exists() else None

    def _about(self, unit: Unit) -> dict:
        """checkpoint.json of the run's newest checkpoint."""
        place = self.plan.folder(unit) / files.CHECKPOINTS
        steps = files.steps(place)
        try:
            return json.loads(
                (place / f"step-{max(steps):06d}" / files.CHECKPOINT_INFO).read_text("utf-8")
            )
        except (OSError, ValueError):
            return {}

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self.plan.output)
