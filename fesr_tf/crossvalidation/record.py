"""Records the runs of a cross-validation in crossval.json and crossval.csv.

Both are made from what stands in the run folders, so that it does not matter which of several
processes writes them last.
"""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

from fesr_tf.crossvalidation import outcomes as results
from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.crossvalidation.plan import FIRST, Plan, complete, evaluation_of, with_present
from fesr_tf.processes import locks
from fesr_tf.processes.jobs import DONE, RUNNING, SKIPPED, STOPPED
from fesr_tf.runs import Run, files
from fesr_tf.training import first_stage
from pipelines.common.files import sha256_of, write_whole

COLUMNS = ("variant", "fold", "seed", "status", "accuracy", "correct", "total", "people", "step",
           "max_iterations", "checkpoint", "data_digest", "config_digest", "first_stage",
           "train_seconds", "evaluate_seconds", "host", "folder")  # fmt: skip
EVALUATED = ("accuracy", "correct", "total", "people", "step", "max_iterations", "checkpoint",
             "data_digest")  # fmt: skip


def summary_of(run: Run) -> dict | None:
    """The results of the run's variant, with its settings and data, in the crossval.json beside
    it; None where there are none. accuracy, interval, right and pictures (pooled), people,
    folds_run, folds: see `outcomes.summary`."""
    path = run.folder.parent.parent / files.CROSSVAL
    info, digest = run.info, sha256_of(run.folder / files.CONFIG)
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        same = result["format"] == results.FORMAT and result["data_digest"] == info.data_digest
        finished = (info.variant, run.config.seed, DONE)
        equal = [
            other["config_digest"] == digest
            for other in result["runs"]
            if (other["variant"], other["seed"], other["status"]) == finished
        ]
        if not (same and result["checkpoint"] == run.checkpoint and equal and all(equal)):
            return None
        (summary,) = (row for row in result["summaries"] if row["variant"] == info.variant)
        return summary["pooled"] | {
            name: summary.get(name, 0)
            for name in ("people", "unknown_subjects", "folds_run", "folds")
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


def config_digest(folder: Path) -> str | None:
    """SHA-256 of the run's config.yaml; None without one."""
    path = folder / files.CONFIG
    return sha256_of(path) if path.exists() else None


class Record:
    """Writes crossval.json over the runs of a plan and all others that `with_present` adds.

    left_out: why the remaining runs in the folder are in no record.
    """

    def __init__(self, plan: Plan):
        self.asked = self.plan = plan
        self.left_out: list[str] = []
        self.path = plan.output / files.CROSSVAL
        # Of runs that were trained before there were locks, which record them.
        self.seconds: dict[str, list[float | None]] = {}
        try:
            before = json.loads(self.path.read_text(encoding="utf-8"))
            same = before["format"] in (1, results.FORMAT)  # alike in these keys
            for run in [*before["runs"], *before["first_stages"]] if same else []:
                unit = Unit(run["variant"], run["fold"], run["seed"])
                # A run that was restarted meanwhile has other settings, data or no checkpoint.
                if run["config_digest"] and run["config_digest"] == self._digest(unit):
                    self.seconds[str(unit)] = [run["train_seconds"], run.get("evaluate_seconds")]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or not one of ours: it is replaced

    def write(self) -> dict:
        """Writes crossval.json and crossval.csv. Returns the content of the first.

        Another process may finish a run and write both meanwhile: they are then written again.
        """
        present = self._present()
        while True:
            result = self._write(*present)
            if (now := self._present()) == present:
                return result
            present = now

    def _present(self) -> tuple[dict[Unit, dict | None], list[dict]]:
        """The evaluation, None without one, and the entry of every run."""
        self.plan, self.left_out = with_present(self.asked)
        evaluations = {unit: evaluation_of(self.plan, unit) for unit in self.plan.units()}
        return evaluations, [self._entry(unit, value) for unit, value in evaluations.items()]

    def _write(self, evaluations: dict[Unit, dict | None], entries: list[dict]) -> dict:
        plan = self.plan
        finished = {unit: value for unit, value in evaluations.items() if value is not None}
        results.refuse_mixed({plan.folder(unit): value for unit, value in finished.items()})
        answers = {
            variant: results.answers({u: e for u, e in finished.items() if u.variant == variant})
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
            "runs": entries,
            "first_stages": [
                self._first(unit) for unit in firsts if files.is_run(plan.folder(unit))
            ],
            "summaries": [
                results.summary(variant, answers[variant], classes, folds, len(plan.seeds))
                for variant in plan.variants
            ],
            "comparisons": results.compare(plan.variants[0], answers),
        }
        rows = io.StringIO()
        writer = csv.DictWriter(rows, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(result["runs"])
        write_whole(self.path, json.dumps(result, indent=1) + "\n")
        write_whole(self.path.with_suffix(".csv"), rows.getvalue())
        return result

    def _entry(self, unit: Unit, evaluation: dict | None) -> dict:
        folder = self.plan.folder(unit)
        train, evaluate = self._seconds(unit)
        checkpoint = self._checkpoint_info(unit)
        return {
            **unit._asdict(),
            "status": DONE if evaluation else self._unfinished(folder),
            "host": self._host(folder),
            **{name: (evaluation or {}).get(name) for name in EVALUATED},
            "first_stage": first_stage.taken_from(folder),
            "config_digest": self._digest(unit),
            "cores": checkpoint.get("cores"),
            "tensorflow": checkpoint.get("tensorflow"),
            "train_seconds": train,
            "evaluate_seconds": evaluate,
            "folder": self._relative(folder),
            "evaluation": self._relative(self.plan.evaluation(unit)) if evaluation else None,
        }

    def _first(self, unit: Unit) -> dict:
        settings = self.plan.settings(unit.variant, unit.seed)
        finished = complete(self.plan, unit, settings)
        return {
            **unit._asdict(),
            "status": DONE if finished else self._unfinished(self.plan.folder(unit)),
            "host": self._host(self.plan.folder(unit)),
            "config_digest": self._digest(unit),
            "train_seconds": self._seconds(unit)[0],
            "folder": self._relative(self.plan.folder(unit)),
        }

    def _unfinished(self, folder: Path) -> str:
        last = locks.newest(folder)
        if last and locks.held(last):
            return RUNNING
        status = locks.read(last).get("status", SKIPPED) if last else SKIPPED
        if status in (SKIPPED, DONE):
            status = STOPPED if files.steps(folder / files.CHECKPOINTS) else SKIPPED
        return status

    def _host(self, folder: Path) -> str | None:
        """The host that runs it or ran it last, not one that only found it finished."""
        attempts = map(locks.read, reversed(locks.series(folder)))
        ran = (a for a in attempts if "seconds" in a or "status" not in a)
        return next(ran, {}).get("host")

    def _seconds(self, unit: Unit) -> tuple[float | None, float | None]:
        """The seconds of a run's training, over all attempts with its settings, and of its newest
        evaluation."""
        given = [locks.read(path) for path in locks.series(self.plan.folder(unit))]
        digest = self._digest(unit)
        spent = [a["seconds"] for a in given if a.get("seconds") and a["config_digest"] == digest]
        if not spent:
            train, evaluate = self.seconds.get(str(unit), [None, None])
            return train, evaluate
        evaluations = [seconds[1] for seconds in spent if len(seconds) > 1]
        return round(sum(s[0] for s in spent), 1), evaluations[-1] if evaluations else None

    def _digest(self, unit: Unit) -> str | None:
        return config_digest(self.plan.folder(unit))

    def _checkpoint_info(self, unit: Unit) -> dict:
        """checkpoint.json of the run's newest checkpoint; empty without one."""
        return files.checkpoint_info(self.plan.folder(unit) / files.CHECKPOINTS)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self.plan.output)
