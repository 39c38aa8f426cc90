"""Fig. 8: the accuracy of each variant in a cross-validation, as bars."""

from __future__ import annotations

from fesr_tf.config.variants import FIG_8
from fesr_tf.figures.figure import FigureFile, sentences
from fesr_tf.figures.sources import Sources
from fesr_tf.plots import charts
from fesr_tf.plots.charts import Bar
from fesr_tf.runs.files import CROSSVAL
from pipelines.common.subjects import of_people


def missing_8(sources: Sources) -> str:
    """The reason why there is no Fig. 8; '' where there is one."""
    if sources.crossval is None:
        return f"it needs a folder with {CROSSVAL} (python -m fesr_tf.crossval)"
    if all(summary["pooled"]["accuracy"] is None for summary in sources.crossval["summaries"]):
        return f"no run of {sources.crossval_folder / CROSSVAL} is finished"
    return ""


def figure_8(sources: Sources) -> list[FigureFile]:
    """A bar for each variant: pooled accuracy, its interval, and a point for each fold."""
    crossval = sources.crossval
    chosen = sorted(crossval["summaries"], key=lambda summary: _place(summary["variant"]))
    title = "Accuracy of each variant"
    chance = 1 / len(crossval["classes"])
    chart = charts.bars(
        [_bar(summary) for summary in chosen],
        f"Fig. 8: {title}, {crossval['database']}, {crossval['folds']} folds",
        chance,
        "chance",
    )
    images = max(summary["pooled"]["pictures"] for summary in chosen)
    most = max(chosen, key=lambda summary: summary["pooled"]["pictures"])
    unknown = most.get("unknown_subjects", 0)
    several = "" if unknown else "; several are of one person, so the true one is wider"
    seeds = crossval["asked"]["seeds"]
    caption = sentences(
        f"Bar: accuracy on all test pictures together ({crossval['database']}; at most {images} "
        f"pictures{of_people(most['people'], unknown)}). Line: Wilson's 95 % interval, which takes "
        f"pictures for independent{several}. Dot: the accuracy of one fold. Dashed: guessing among "
        f"{len(crossval['classes'])} classes.",
        f"Mean over {len(seeds)} seeds." if len(seeds) > 1 else "",
        "Checkpoints: the best by the validation part."
        if crossval["checkpoint"] == "best"
        else "Checkpoints: each run's last.",
        _missing(crossval, chosen),
        "Bars whose intervals overlap are not told apart by this picture: the paired comparisons "
        f"are in {CROSSVAL}.",
    )
    runs = (str(sources.crossval_folder),)
    return [FigureFile("fig-8.png", "8", title, caption, runs, charts.png(chart))]


def _place(variant: str) -> tuple[int, str]:
    return (FIG_8.index(variant) if variant in FIG_8 else len(FIG_8), variant)


def _bar(summary: dict) -> Bar:
    pooled = summary["pooled"]
    return Bar(
        summary["variant"],
        pooled["accuracy"],
        None if pooled["accuracy"] is None else tuple(pooled["interval"]),
        list(summary["fold_accuracies"].values()),
        f"{summary['runs']} of {summary['of_runs']} runs",
    )


def _missing(crossval: dict, chosen: list[dict]) -> str:
    """The folds and seeds that are missing from each bar, in a sentence; '' where none is."""
    gaps = []
    for summary in chosen:
        variant, folds = summary["variant"], {int(fold) for fold in summary["fold_accuracies"]}
        absent = [str(fold) for fold in range(crossval["folds"]) if fold not in folds]
        if not folds:
            gaps.append(f"{variant} not run")
        elif absent:
            gaps.append(f"{variant} without fold{'s' * (len(absent) > 1)} {', '.join(absent)}")
        elif summary["runs"] < summary["of_runs"]:
            gaps.append(f"{variant} with {summary['runs']} of {summary['of_runs']} runs")
    if never := [name for name in FIG_8 if name not in {s["variant"] for s in chosen}]:
        gaps.append(f"{', '.join(never)} not asked for")
    return f"Missing: {'; '.join(gaps)}." if gaps else ""
