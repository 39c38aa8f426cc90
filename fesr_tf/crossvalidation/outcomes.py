"""The results of a cross-validation: from the runs' evaluations to crossval.json and a table.

crossval.json holds

    format, database, data, data_digest, classes, folds (of the database), variants, baseline,
    asked (the folds and seeds of this call and of all runs there), checkpoint ("last" or
    "best"), overrides
    runs: for each (variant, fold, seed)
        variant, fold, seed; status: done, failed, stopped (it can be resumed), running or not run
        host: that ran it last, None for runs by `fesr_tf.train`
        accuracy, correct, total, people, step, max_iterations, checkpoint, data_digest: from
            its evaluation, None without one
        first_stage: the variant whose stage 1 it took over, or None
        config_digest: SHA-256 of its config.yaml; cores, tensorflow: of its newest checkpoint
        train_seconds: over all starts of the command, on whichever host, that were not killed,
            without a shared stage 1; evaluate_seconds; None for what the command did not run
        folder; evaluation: the file with the prediction for each image
    first_stages: for each shared run of stage 1: variant, fold, seed, status, host,
        config_digest, train_seconds, folder
    summaries: for each variant, see `summary`
    comparisons: for each variant but the baseline, see `compare`

Numbers that are keys ({fold: accuracy}) are strings in JSON. Folders are relative to that of
crossval.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fesr_tf.metrics import classification, comparison, inference
from fesr_tf.metrics.comparison import Answers
from fesr_tf.processes.jobs import DONE
from pipelines.common.errors import BadUse
from pipelines.common.subjects import counted, unit
from pipelines.common.text import table as text_table

FORMAT = 2
BY_SEED = (
    "by seed: the 95 % interval with the seed as the unit, Student's t;\n"
    "the seeds' tests are combined by Fisher's method in each direction; "
)


class Unit(NamedTuple):
    """One training and its evaluation."""

    variant: str
    fold: int
    seed: int

    def __str__(self) -> str:
        return f"{self.variant} fold {self.fold}" + (f" seed {self.seed}" if self.seed else "")


def refuse_mixed(evaluations: Mapping[Path, dict]) -> None:
    """Raises `BadUse`, naming two runs, where the evaluations by run folder cannot be compared:
    their data, classes or parts differ."""
    if not evaluations:
        return
    (first, one), *others = evaluations.items()
    for folder, other in others:
        for name in ("database", "data_digest", "classes", "split"):
            if one[name] != other[name]:
                old, new = _short(one[name]), _short(other[name])
                raise BadUse(
                    f"{first} and {folder} cannot be compared: {name} is {old} in one and {new} "
                    "in the other; evaluate both on the same data"
                )


def answers(evaluations: Mapping[Unit, dict]) -> Answers:
    """The predictions of one variant's evaluations, together."""
    # Not named `unit`: Python 3.12 would take the function of that name for this local variable.
    rows = [(run, row) for run, result in evaluations.items() for row in result["predictions"]]

    known = bool(rows) and all("probabilities" in row for _, row in rows)

    def column(values: list, dtype: type) -> np.ndarray:
        return np.array(values, dtype)

    return Answers(
        seeds=column([run.seed for run, _ in rows], int),
        folds=column([run.fold for run, _ in rows], int),
        keys=column([row["key"] for _, row in rows], str),
        subjects=column([unit(row["subject"], row["key"]) for _, row in rows], str),
        labels=column([row["label"] for _, row in rows], int),
        predictions=column([row["prediction"] for _, row in rows], int),
        yaws=column([row["yaw"] for _, row in rows], float),
        probabilities=column([row["probabilities"] for _, row in rows], float) if known else None,
    )


def summary(variant: str, given: Answers, classes: Sequence[str], folds: int, seeds: int) -> dict:
    """Summarises the finished runs of a variant, out of `folds` folds and `seeds` seeds.

    variant; runs, of_runs: the finished and the planned (seed, fold); folds_run, folds: the same
    for folds; people; unknown_subjects: the test images without one; mean, sd: of the folds'
    accuracies (each the mean of its seeds); fold_accuracies {fold: accuracy}; seed_accuracies
    {seed: pooled accuracy}; pooled, per_class {class: }, per_pose {yaw: }: each a
    `comparison.proportion`, per_pose empty where all images have one yaw; mean_class_accuracy: over
    the classes that have images; brier, log_loss: means over all predictions, see
    `fesr_tf.metrics.classification`, None where the probabilities are unknown; confusion: rows are
    true classes, summed over seeds.
    """
    images = comparison.by_image(given)
    by_fold = comparison.by_fold(images.right, images.folds)
    mean, sd = inference.mean_and_sd(list(by_fold.values()))
    by_class = comparison.by_group(images.right, images.labels)
    poses = comparison.by_group(images.right, images.yaws)
    right = given.right
    people, unknown = counted(images.subjects.tolist())
    return {
        "variant": variant,
        "runs": len(given.units),
        "of_runs": folds * seeds,
        "folds_run": len(by_fold),
        "folds": folds,
        "people": people,
        "unknown_subjects": unknown,
        "mean": mean,
        "sd": sd,
        "fold_accuracies": by_fold,
        "seed_accuracies": {
            int(seed): float(right[given.seeds == seed].mean()) for seed in np.unique(given.seeds)
        },
        "pooled": comparison.proportion(images.right),
        "mean_class_accuracy": inference.mean_and_sd(
            [part["accuracy"] for part in by_class.values()]
        )[0],
        **{name: _mean(given.score(name)) for name in comparison.SCORES},
        "per_class": {classes[label]: part for label, part in by_class.items()},
        "per_pose": {f"{yaw:g}": part for yaw, part in poses.items()} if len(poses) > 1 else {},
        "confusion": classification.confusion_matrix(
            given.labels, given.predictions, len(classes)
        ).tolist(),
    }


def compare(baseline: str, given: Mapping[str, Answers]) -> list[dict]:
    """Compares every other variant with the baseline: `comparison.paired`, with `variant`,
    `baseline`, and `p_pictures_holm`: corrected over all variants."""
    pairs = [
        {"variant": name, "baseline": baseline, **comparison.paired(given[baseline], other)}
        for name, other in given.items()
        if name != baseline
    ]
    corrected = inference.holm([pair["p_pictures"] for pair in pairs])
    for pair, p in zip(pairs, corrected, strict=True):
        pair["p_pictures_holm"] = p
    return pairs


def _mean(values: np.ndarray | None) -> float | None:
    return None if values is None or not len(values) else float(values.mean())


def table(result: dict) -> str:
    """The summaries, fold by fold, then the comparisons, as text."""
    seeds = result["asked"]["seeds"]
    which = "last checkpoints" if result["checkpoint"] == "last" else "best ones by validation"
    counted = "folds" if len(seeds) == 1 else "runs"
    head = ["variant", *(f"fold {fold}" for fold in range(result["folds"]))]
    head += ["mean ± sd", "pooled", "95 % interval", "Brier", "log-loss", counted]
    lines = [
        f"{result['database']}, data {result['data_digest'][:12]}, {which}, "
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}; accuracy in %",
        text_table(head, [_row(result, summary, counted) for summary in result["summaries"]]),
    ]
    if any(summary["runs"] < summary["of_runs"] for summary in result["summaries"]):
        lines.append("some folds were not run: a mean covers those that were")
    if result["comparisons"]:
        lines += ["", _comparisons(result, counted)]
    return "\n".join(lines)


def _row(result: dict, summary: dict, counted: str) -> list[str]:
    cells = [summary["variant"]]
    for fold in range(result["folds"]):
        accuracy = summary["fold_accuracies"].get(fold)
        runs = [run for run in result["runs"]
                if (run["variant"], run["fold"]) == (summary["variant"], fold)]  # fmt: skip
        missing = [run["status"] for run in runs if run["status"] != DONE]
        text = "" if accuracy is None else f"{100 * accuracy:.1f}"
        if missing and text:
            text += f" ({len(runs) - len(missing)} of {len(runs)})"
        cells.append(text or (missing or ["not run"])[0])
    mean, pooled = summary["mean"], summary["pooled"]
    if pooled["accuracy"] is None:
        cells += ["-", "-", "-"]
    else:
        low, high = pooled["interval"]
        cells += [
            f"{100 * mean:.1f} ± " + _number(summary["sd"], "{:.1f}", 100),
            f"{100 * pooled['accuracy']:.1f} of {pooled['pictures']}",
            f"{100 * low:.1f} to {100 * high:.1f}",
        ]
    cells += [_number(summary[name], "{:.3f}") for name in comparison.SCORES]
    done, of = ("folds_run", "folds") if counted == "folds" else ("runs", "of_runs")
    return [*cells, f"{summary[done]} of {summary[of]}"]


def _comparisons(result: dict, counted: str) -> str:
    pairs = result["comparisons"]
    several = len(result["asked"]["seeds"]) > 1
    head = ["variant", "difference", "95 % interval", *(["by seed"] if several else []),
            "p by image", "only it : baseline", counted]  # fmt: skip
    rows = []
    for pair in pairs:
        done = len(pair["folds"]) if counted == "folds" else pair["runs"]
        of = result["folds"] * (1 if counted == "folds" else len(result["asked"]["seeds"]))
        intervals = [
            " to ".join(_number(end, "{:+.1f}", 100) for end in ends or ()) or "-"
            for ends in (pair["interval"], *([pair["by_seed"]["interval"]] if several else []))
        ]
        odd = " / ".join(f"{test['only_second']} : {test['only_first']}"
                         for test in pair["mcnemar"])  # fmt: skip
        rows.append([
            pair["variant"], _number(pair["difference"], "{:+.1f}", 100),
            *intervals, _number(pair["p_pictures_holm"], "{:.3g}"),
            odd or "-", f"{done} of {of}",
        ])  # fmt: skip
    count = f"{len(pairs)} comparison{'s' if len(pairs) > 1 else ''}"
    return (
        f"Against {result['baseline']}: difference of pooled accuracy in points, interval over "
        f"{comparison.over(pairs[0])};\n{BY_SEED if several else ''}p by image after Holm's "
        f"correction over {count}\n{text_table(head, rows)}"
    )


def _number(value: float | None, form: str, times: float = 1) -> str:
    return "-" if value is None else form.format(times * value)


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else ", ".join(map(str, value))
