"""What a cross-validation found: from the runs' evaluations to crossval.json, .csv and a table.

crossval.json holds

    format, database, data, data_digest, classes, folds (of the database), variants, baseline,
    asked (folds and seeds), checkpoint ("last" or "best"), overrides
    runs: one entry a (variant, fold, seed), see `entry`
    first_stages: of the shared runs of stage 1: variant, fold, seed, status, config_digest,
        train_seconds, folder
    summaries: one entry a variant, see `summary`
    comparisons: one entry a variant but the baseline, see `compare`

Numbers that are keys ({fold: accuracy}) are texts in JSON. Folders are relative to that of
crossval.json. Each picture's answer stays in the evaluation.json
of its run (`evaluation` names the file).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fesr_tf.metrics import classification, comparison
from fesr_tf.metrics.comparison import Answers
from fesr_tf.processes.jobs import DONE
from pipelines.common.errors import BadUse

FORMAT = 1
COLUMNS = ("variant", "fold", "seed", "status", "accuracy", "correct", "total", "people", "step",
           "max_iterations", "checkpoint", "data_digest", "config_digest", "first_stage",
           "train_seconds", "evaluate_seconds", "folder")  # fmt: skip


class Unit(NamedTuple):
    """One training and its evaluation."""

    variant: str
    fold: int
    seed: int

    def __str__(self) -> str:
        return f"{self.variant} fold {self.fold}" + (f" seed {self.seed}" if self.seed else "")


def entry(unit: Unit, status: str, evaluation: dict | None, more: Mapping[str, object]) -> dict:
    """A run of crossval.json: variant, fold, seed, status, then of its evaluation accuracy,
    correct, total, people, step, max_iterations, checkpoint (what was evaluated) and
    data_digest, None where there is none; and `more` about the run.

    status: done, failed, stopped (there is a checkpoint, and more to do) or not run. `more` is
    first_stage (the variant whose stage 1 it began from, or None), config_digest (SHA-256 of its
    config.yaml), cores and tensorflow (as its newest checkpoint says), train_seconds (over all
    starts by this command, without a shared stage 1) and evaluate_seconds, None for what was not
    done by it, folder, evaluation.
    """
    names = ("accuracy", "correct", "total", "people", "step", "max_iterations", "checkpoint",
             "data_digest")  # fmt: skip
    found = {name: (evaluation or {}).get(name) for name in names}
    return {**unit._asdict(), "status": status, **found, **more}


def refuse_mixed(evaluations: Mapping[Path, dict]) -> None:
    """Raises `BadUse` where the evaluations, by their runs' folders, cannot be compared: of other
    data, classes or parts. Names two that differ."""
    if not evaluations:
        return
    (first, one), *others = evaluations.items()
    for folder, other in others:
        for name in ("database", "data_digest", "classes", "split"):
            if one[name] != other[name]:
                old, new = (_short(each[name]) for each in (one, other))
                raise BadUse(
                    f"{first} and {folder} cannot be compared: {name} is {old} in one and {new} "
                    "in the other; evaluate both on the same data"
                )


def answers(evaluations: Mapping[Unit, dict]) -> Answers:
    """The answers of one variant's evaluations, in one."""
    rows = [(unit, row) for unit, each in evaluations.items() for row in each["predictions"]]

    def column(values: list, dtype: type) -> np.ndarray:
        return np.array(values, dtype)

    return Answers(
        seeds=column([unit.seed for unit, _ in rows], int),
        folds=column([unit.fold for unit, _ in rows], int),
        keys=column([row["key"] for _, row in rows], str),
        subjects=column([row["subject"] for _, row in rows], str),
        labels=column([row["label"] for _, row in rows], int),
        predictions=column([row["prediction"] for _, row in rows], int),
        yaws=column([row["yaw"] for _, row in rows], float),
    )


def summary(variant: str, given: Answers, classes: Sequence[str], folds: int, seeds: int) -> dict:
    """One variant over everything that was run of it, of `folds` folds and `seeds` seeds in all.

    variant; runs, of_runs: (seed, fold) there are and there would be; folds_run, folds: the same
    of folds; people; mean, sd: over the folds' accuracies (each the mean of its seeds);
    fold_accuracies {fold: accuracy}; seed_accuracies {seed: pooled accuracy}; pooled, per_class
    {class: }, per_pose {yaw: }: each a `comparison.proportion`, per_pose empty where every
    picture has one yaw; mean_class_accuracy: of the classes that there are pictures of;
    confusion: rows are true classes, all seeds added up.
    """
    seen = comparison.pictures(given)
    by_fold = comparison.by_fold(seen.right, seen.folds)
    mean, sd = comparison.mean_and_sd(list(by_fold.values()))
    by_class = comparison.by_group(seen.right, seen.labels)
    poses = comparison.by_group(seen.right, seen.yaws)
    right = given.right
    return {
        "variant": variant,
        "runs": len(given.units),
        "of_runs": folds * seeds,
        "folds_run": len(by_fold),
        "folds": folds,
        "people": len(np.unique(seen.subjects)),
        "mean": mean,
        "sd": sd,
        "fold_accuracies": by_fold,
        "seed_accuracies": {
            int(seed): float(right[given.seeds == seed].mean()) for seed in np.unique(given.seeds)
        },
        "pooled": comparison.proportion(seen.right),
        "mean_class_accuracy": comparison.mean_and_sd(
            [each["accuracy"] for each in by_class.values()]
        )[0],
        "per_class": {classes[label]: each for label, each in by_class.items()},
        "per_pose": {f"{yaw:g}": each for yaw, each in poses.items()} if len(poses) > 1 else {},
        "confusion": classification.confusion_matrix(
            given.labels, given.predictions, len(classes)
        ).tolist(),
    }


def compare(baseline: str, given: Mapping[str, Answers]) -> list[dict]:
    """Every other variant against the baseline: `comparison.paired`, with `variant`, `baseline`,
    and `p_folds_holm`, `p_pictures_holm`: corrected over this family, each test by itself."""
    found = [
        {"variant": name, "baseline": baseline, **comparison.paired(given[baseline], each)}
        for name, each in given.items()
        if name != baseline
    ]
    for name in ("p_folds", "p_pictures"):
        corrected = comparison.holm([each[name] for each in found])
        for each, p in zip(found, corrected, strict=True):
            each[f"{name}_holm"] = p
    return found


def as_csv(runs: Sequence[dict]) -> str:
    """One line a run, the columns of `COLUMNS`; empty where there is nothing to tell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(runs)
    return text.getvalue()


def as_json(result: dict) -> str:
    """crossval.json's text."""
    return json.dumps(result, indent=1) + "\n"


def table(result: dict) -> str:
    """The summaries, fold by fold, then the comparisons, as text."""
    seeds = result["asked"]["seeds"]
    which = "last checkpoints" if result["checkpoint"] == "last" else "best ones by validation"
    counted = "folds" if len(seeds) == 1 else "runs"
    head = ["variant", *(f"fold {fold}" for fold in range(result["folds"]))]
    head += ["mean ± sd", "pooled", "95 % interval", counted]
    rows = [head] + [_row(result, each, counted) for each in result["summaries"]]
    said = [
        f"{result['database']}, data {result['data_digest'][:12]}, {which}, "
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}; accuracy in %",
        _aligned(rows),
    ]
    if any(each["runs"] < each["of_runs"] for each in result["summaries"]):
        said.append("not every fold was run: a mean is over those that were")
    if result["comparisons"]:
        said += ["", _comparisons(result, counted)]
    return "\n".join(said)


def _row(result: dict, summary: dict, counted: str) -> list[str]:
    cells = [summary["variant"]]
    for fold in range(result["folds"]):
        accuracy = summary["fold_accuracies"].get(fold)
        here = [run for run in result["runs"]
                if (run["variant"], run["fold"]) == (summary["variant"], fold)]  # fmt: skip
        missing = [run["status"] for run in here if run["status"] != DONE]
        text = "" if accuracy is None else f"{100 * accuracy:.1f}"
        if missing and text:
            text += f" ({len(here) - len(missing)} of {len(here)})"
        cells.append(text or (missing or ["not run"])[0])
    mean, sd = summary["mean"], summary["sd"]
    low, high = summary["pooled"]["interval"]
    accuracy = summary["pooled"]["accuracy"]
    some = accuracy is not None
    cells.append("-" if mean is None else f"{100 * mean:.1f} ± " + _number(sd, "{:.1f}", 100))
    cells.append(f"{100 * accuracy:.1f} of {summary['pooled']['pictures']}" if some else "-")
    cells.append(f"{100 * low:.1f} to {100 * high:.1f}" if some else "-")
    done, of = ("folds_run", "folds") if counted == "folds" else ("runs", "of_runs")
    return [*cells, f"{summary[done]} of {summary[of]}"]


def _comparisons(result: dict, counted: str) -> str:
    pairs = result["comparisons"]
    rows = [["variant", "difference", "95 % interval", "p by fold", "lowest", "p by picture",
             "only it : baseline", counted]]  # fmt: skip
    for each in pairs:
        done = len(each["folds"]) if counted == "folds" else each["runs"]
        of = result["folds"] * (1 if counted == "folds" else len(result["asked"]["seeds"]))
        interval = [_number(end, "{:+.1f}", 100) for end in each["interval"] or ()]
        odd = " / ".join(f"{test['only_second']} : {test['only_first']}"
                         for test in each["mcnemar"])  # fmt: skip
        rows.append([
            each["variant"], _number(each["difference"], "{:+.1f}", 100),
            " to ".join(interval) or "-", _number(each["p_folds_holm"], "{:.3g}"),
            _number(each["p_folds_lowest"], "{:.2g}"), _number(each["p_pictures_holm"], "{:.3g}"),
            odd or "-", f"{done} of {of}",
        ])  # fmt: skip
    family = f"{len(pairs)} comparison{'s' if len(pairs) > 1 else ''}"
    return (
        f"Against {result['baseline']}: points of pooled accuracy, the interval over people;\n"
        f"p after Holm over {family}; `lowest` is the least that p by fold can be before that\n"
        f"{_aligned(rows)}"
    )


def _number(value: float | None, form: str, times: float = 1) -> str:
    return "-" if value is None else form.format(times * value)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else ", ".join(map(str, value))
