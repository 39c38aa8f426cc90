"""Fig. 8: the variants' accuracies as bars, of a cross-validation."""

from __future__ import annotations

from fesr_tf.figures.figure import Picture, sentences
from fesr_tf.figures.sources import CROSSVAL, Sources
from fesr_tf.plots import charts
from fesr_tf.plots.charts import Bar

# As in the legend of the paper's Fig. 8; other variants come after these.
ORDER = ("BASELINE", "FESR_OneSt", "FESR_SL", "FESR_JL-IL", "FESR_JL-RDBP", "FESR_JL", "FESR_Real")


def missing_8(sources: Sources) -> str:
    """Why there is no Fig. 8; '' where there is."""
    if sources.crossval is None:
        return f"it needs a folder with {CROSSVAL} (python -m fesr_tf.crossval)"
    if all(each["pooled"]["accuracy"] is None for each in sources.crossval["summaries"]):
        return f"no run of {sources.crossval_folder / CROSSVAL} is finished"
    return ""


def figure_8(sources: Sources) -> list[Picture]:
    """A bar a variant: pooled accuracy, its interval, a dot a fold."""
    found = sources.crossval
    chosen = sorted(found["summaries"], key=lambda each: _place(each["variant"]))
    title = "Accuracy of each variant"
    chance = 1 / len(found["classes"])
    chart = charts.bars(
        [_bar(each) for each in chosen],
        f"Fig. 8: {title}, {found['database']}, {found['folds']} folds",
        chance,
        "chance",
    )
    pictures_ = max(each["pooled"]["pictures"] for each in chosen)
    people = max(each["people"] for each in chosen)
    seeds = found["asked"]["seeds"]
    caption = sentences(
        f"Bar: accuracy on all test pictures together ({found['database']}; at most {pictures_} "
        f"pictures of {people} people). Line: Wilson's 95 % "
        "interval, which takes pictures for independent; several are of one person, so the true "
        "one is wider. Dot: the accuracy of one fold. Dashed: guessing among "
        f"{len(found['classes'])} classes.",
        f"Mean over {len(seeds)} seeds." if len(seeds) > 1 else "",
        "Checkpoints: the best by the validation people."
        if found["checkpoint"] == "best"
        else "Checkpoints: each run's last.",
        _missing(found, chosen),
        "Bars whose intervals overlap are not told apart by this picture: the paired comparisons "
        f"are in {CROSSVAL}.",
    )
    runs = (str(sources.crossval_folder),)
    return [Picture("fig-8.png", "8", title, caption, runs, charts.png(chart))]


def _place(variant: str) -> tuple[int, str]:
    return (ORDER.index(variant) if variant in ORDER else len(ORDER), variant)


def _bar(summary: dict) -> Bar:
    pooled = summary["pooled"]
    some = pooled["accuracy"] is not None
    return Bar(
        summary["variant"],
        pooled["accuracy"],
        tuple(pooled["interval"]) if some else None,
        list(summary["fold_accuracies"].values()),
        f"{summary['runs']} of {summary['of_runs']} runs",
    )


def _missing(found: dict, chosen: list[dict]) -> str:
    """Which folds (and how many of the seeds' runs) are not in which bar; '' where all are."""
    said = []
    for each in chosen:
        here = {int(fold) for fold in each["fold_accuracies"]}
        absent = [str(fold) for fold in range(found["folds"]) if fold not in here]
        if not here:
            said.append(f"{each['variant']} not run")
        elif absent:
            said.append(f"{each['variant']} without fold{'s' * (len(absent) > 1)} "
                        f"{', '.join(absent)}")  # fmt: skip
        elif each["runs"] < each["of_runs"]:
            said.append(f"{each['variant']} with {each['runs']} of {each['of_runs']} runs")
    never = [name for name in ORDER if name not in {each["variant"] for each in chosen}]
    if never:
        said.append(f"{', '.join(never)} not asked for")
    return f"Missing: {'; '.join(said)}." if said else ""
