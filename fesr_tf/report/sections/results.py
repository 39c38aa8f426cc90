"""Accuracy: of cross-validations by fold and compared, of single runs one by one."""

from __future__ import annotations

import functools

from fesr_tf.data import ALL
from fesr_tf.metrics.comparison import SCORES, over
from fesr_tf.processes.jobs import DONE
from fesr_tf.report.charts import Row, accuracies
from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT, NOT_RUN, PERCENT, POINTS, Cell, Part, Table, Text
from fesr_tf.results.sources import CrossValidation

RESULTS = "results"
NAMES = "Brier score", "log-loss"


def section(m: Material) -> dict:
    """Accuracy on the test parts, and the comparison of the variants."""
    return {
        "crossvals": [
            {
                "chart": _chart(m, crossval),
                "folds": _folds(m, crossval),
                "baseline": crossval.document.at("baseline"),
                "known": not any(
                    summary.get("unknown_subjects") for summary in crossval.document.at("summaries")
                ),
                "over": _resampled(crossval),
                "several": len(crossval.document.at("asked", "seeds")) > 1,
                "comparisons": _comparisons(m, crossval),
            }
            for crossval in m.sources.crossvals
        ],
        "single": _single(m) if m.sources.runs else None,
    }


def _resampled(crossval: CrossValidation) -> str:
    pairs = crossval.document.at("comparisons")
    return over(pairs[0]) if pairs else ""


def _people(show, entry: dict) -> Cell:
    """The number of people of an evaluation or a comparison, if they are known."""
    unknown = entry.get("unknown_subjects")
    if not unknown:
        return show("people", COUNT, "people")
    if not entry["people"]:
        return Text("unknown", "label")
    others = show("images of unknown subjects", COUNT, "unknown_subjects")
    return [
        show("people", COUNT, "people"),
        Text(" and ", "label"),
        others,
        Text(" images", "label"),
    ]


def _chart(m: Material, crossval: CrossValidation) -> str:
    """Fig. 8 with intervals."""
    rows = []
    for index, summary in enumerate(crossval.document.at("summaries")):
        variant, pooled = summary["variant"], summary["pooled"]
        show = Part(m.book, RESULTS, crossval.document, variant, ("summaries", index))
        figure = show("pooled accuracy, chart", PERCENT, "pooled", "accuracy").number
        if summary["runs"]:
            folds, text = (
                tuple(summary["fold_accuracies"].values()),
                f"{100 * pooled['accuracy']:.1f}",
            )
            rows.append(Row(variant, pooled["accuracy"], pooled["interval"], folds, figure, text))
        else:
            rows.append(Row(variant, None, None, (), figure, NOT_RUN))
    return accuracies(rows, "Pooled accuracy of each variant with its 95 % interval")


def _folds(m: Material, crossval: CrossValidation) -> Table:
    data = crossval.document.data
    seeds, folds = data["asked"]["seeds"], range(data["folds"])
    rows = []
    for index, summary in enumerate(data["summaries"]):
        show = Part(m.book, RESULTS, crossval.document, summary["variant"], ("summaries", index))
        pooled = show("pooled accuracy", PERCENT, "pooled", "accuracy", interval=True,
                      n=summary["pooled"]["pictures"], unit="share of pictures")  # fmt: skip
        n = summary["folds_run"]
        mean = show("mean over folds", PERCENT, "mean", n=n, unit="share, of folds")
        sd = show("sd over folds", PERCENT, "sd", n=n, unit="share, n - 1", missing="-")
        keys = ("folds_run", "folds", "runs", "of_runs")
        folds_run, of_folds, runs, of_runs = (show(key, COUNT, key) for key in keys)
        done = [folds_run, " of ", of_folds]
        if len(seeds) > 1:
            done += [", ", runs, " of ", of_runs, " runs"]
        means: list[Cell] = [mean] if sd.value is None else [mean, " ± ", sd]
        if 0 < summary["runs"] < summary["of_runs"]:
            counts = f"{folds_run.text} of {of_folds.text} folds"
            counts += f", {runs.text} of {of_runs.text} runs" if len(seeds) > 1 else ""
            means.append(Text(f" (over {counts} only)", "label"))
        scores = [show(name, ".3f", key) for name, key in zip(NAMES, SCORES, strict=True)]
        cells = [_fold(m, crossval, index, fold) for fold in folds]
        rows.append([summary["variant"], pooled, means, *scores, done, *cells])
    head = ["variant", "pooled, % (95 %)", "mean ± sd, %", *NAMES, "folds"]
    head += [f"fold {fold}" for fold in folds]
    plural = "s" * (len(seeds) > 1)
    caption = f"{data['checkpoint']} checkpoints, seed{plural} {', '.join(map(str, seeds))}"
    return Table(head, rows, f"Test accuracy, {caption}")


def _fold(m: Material, crossval: CrossValidation, index: int, fold: int) -> Cell:
    """A fold's accuracy, or why there is none."""
    document, path = crossval.document, ("summaries", index, "fold_accuracies")
    variant, seeds = document.at("summaries", index, "variant"), document.at("asked", "seeds")
    here = [run for run in document.at("runs") if (run["variant"], run["fold"]) == (variant, fold)]
    unfinished = [run["status"] for run in here if run["status"] != DONE]
    if not document.has(*path, str(fold)):
        item, why = f"{variant}, fold {fold}", (unfinished or [NOT_RUN])[0]
        return m.book.show(RESULTS, item, None, PERCENT, document.pointer(*path), missing=why)
    tested = max((run["total"] or 0 for run in here), default=0)
    show = Part(m.book, RESULTS, document, variant, path)
    shown = show(f"fold {fold}", PERCENT, str(fold), n=tested, unit="share of pictures")
    done = len(here) - len(unfinished)
    if done == len(seeds):
        return shown
    return [shown, Text(f" ({done} of {len(seeds)} seeds)", "label")]


def _comparisons(m: Material, crossval: CrossValidation) -> Table | None:
    document, data = crossval.document, crossval.document.data
    seeds = data["asked"]["seeds"]
    several = len(seeds) > 1
    rows = []
    for index, comparison in enumerate(data["comparisons"]):
        name, path = (
            f"{comparison['variant']} against {comparison['baseline']}",
            ("comparisons", index),
        )
        show = functools.partial(Part(m.book, RESULTS, document, name, path), missing="-")
        only_one_right: list[Cell] = []
        for side in ("only_second", "only_first"):
            tests = [
                show(f"seed {test['seed']}, {side}", COUNT, "mcnemar", k, side, unit="pictures")
                for k, test in enumerate(comparison["mcnemar"])
            ]
            only_one_right.append([part for test in tests for part in (" / ", test)][1:] or "-")
        source, folds = f"{document.pointer(*path, 'folds')}: how many", len(comparison["folds"])
        common = m.book.show(RESULTS, f"{name}, folds", folds, COUNT, source)
        images = comparison["pictures"]
        rows.append([
            comparison["variant"],
            show("difference", POINTS, "difference", interval=True, n=images, unit="share"),
            *(
                [show("mean over seeds", POINTS, "by_seed", "mean", interval=True, n=len(seeds),
                      unit="share")]
                if several
                else []
            ),
            *(
                show(f"{key} difference", ".3f", key, "difference", interval=True, n=images)
                if comparison[key]
                else "-"
                for key in SCORES
            ),
            *(show(key, ".3g", key, n=images) for key in ("p_pictures", "p_pictures_holm")),
            *only_one_right,
            show("pictures", COUNT, "pictures"),
            _people(show, comparison),
            [common, Text(f" of {data['folds']}", "label")],
        ])  # fmt: skip
    head = ["variant", "difference, points (95 %)", *(["by seed (95 %)"] if several else []),
            "of the Brier score", "of the log-loss", "p by image", "p by image, Holm",
            "only it right", "only the baseline right", "images", "people", "folds"]  # fmt: skip
    return Table(head, rows, name="Comparisons") if rows else None


def _single(m: Material) -> Table:
    counts = {"right": "correct", "pictures": "total"}
    steps = {"iteration": "step", "iterations asked": "max_iterations"}
    rows = []
    for run in m.sources.runs:
        if run.evaluation is None:
            reason = "no held-out images" if run.info.fold == ALL else NOT_RUN
            reason = reason if run.config.trains_recognizer else "no recognizer"
            m.book.show(RESULTS, f"{run.name}, accuracy", None, PERCENT, str(run.folder))
            rows.append([run.name, Text(reason, "none"), *[""] * 7])
            continue
        show = Part(m.book, RESULTS, run.evaluation, run.name)
        total = run.evaluation.at("total")
        accuracy = show("accuracy", PERCENT, "accuracy", interval=True, n=total,
                        unit="share of pictures")  # fmt: skip
        before, after = (
            [show(item, COUNT, key) for item, key in some.items()] for some in (counts, steps)
        )
        # Evaluations of earlier versions have none.
        scores = [show(name, ".3f", key) if run.evaluation.has(key) else Text(NOT_RUN, "none")
                  for name, key in zip(NAMES, SCORES, strict=True)]  # fmt: skip
        people = _people(show, run.evaluation.data)
        rows.append([run.name, accuracy, *scores, *before, people, *after])
    head = ["run", "accuracy, % (95 %)", *NAMES, "correct", "images", "people", "iteration", "of"]
    return Table(head, rows, "Test accuracy of single runs")
