"""Accuracy: of cross-validations by fold and compared, of single runs one by one."""

from __future__ import annotations

from fesr_tf.data import ALL
from fesr_tf.processes.jobs import DONE
from fesr_tf.report.charts import Row, accuracies
from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT, NOT_RUN, PERCENT, POINTS, Cell, Table, Text
from fesr_tf.results.sources import CrossValidation

RESULTS = "results"


def section(m: Material) -> dict:
    """Accuracy on the test parts, and the comparison of the variants."""
    return {
        "crossvals": [
            {
                "chart": _chart(m, crossval),
                "folds": _folds(m, crossval),
                "baseline": crossval.document.at("baseline"),
                "comparisons": _comparisons(m, crossval),
            }
            for crossval in m.sources.crossvals
        ],
        "single": _single(m) if m.sources.runs else None,
    }


def _chart(m: Material, crossval: CrossValidation) -> str:
    """Fig. 8 with intervals."""
    rows = []
    for index, each in enumerate(crossval.document.at("summaries")):
        variant, pooled = each["variant"], each["pooled"]
        item, path = (
            f"{variant}, pooled accuracy, chart",
            ("summaries", index, "pooled", "accuracy"),
        )
        figure = m.book.of(RESULTS, item, crossval.document, path, PERCENT).number
        if each["runs"]:
            points, text = (
                tuple(each["fold_accuracies"].values()),
                f"{100 * pooled['accuracy']:.1f}",
            )
            rows.append(Row(variant, pooled["accuracy"], pooled["interval"], points, figure, text))
        else:
            rows.append(Row(variant, None, None, (), figure, NOT_RUN))
    return accuracies(rows, "Pooled accuracy of each variant with its 95 % interval")


def _folds(m: Material, crossval: CrossValidation) -> Table:
    document, data = crossval.document, crossval.document.data
    seeds = data["asked"]["seeds"]
    head = ["variant", "pooled, % (95 %)", "mean ± sd, %", "folds"]
    head += [f"fold {fold}" for fold in range(data["folds"])]
    rows = []
    for index, each in enumerate(data["summaries"]):
        variant, path, some = each["variant"], ("summaries", index), each["runs"] > 0
        pooled = m.book.of(
            RESULTS, f"{variant}, pooled accuracy", document, (*path, "pooled", "accuracy"),
            PERCENT, around=(*path, "pooled", "interval") if some else None,
            n=each["pooled"]["pictures"], unit="share of pictures",
        )  # fmt: skip
        mean = m.book.of(RESULTS, f"{variant}, mean over folds", document, (*path, "mean"), PERCENT,
                         n=each["folds_run"], unit="share, of folds")  # fmt: skip
        sd = m.book.of(RESULTS, f"{variant}, sd over folds", document, (*path, "sd"), PERCENT,
                       n=each["folds_run"], unit="share, n - 1", missing="-")  # fmt: skip
        folds_run, folds, runs, of_runs = (
            m.book.of(RESULTS, f"{variant}, {key}", document, (*path, key), COUNT)
            for key in ("folds_run", "folds", "runs", "of_runs")
        )
        means: list[Cell] = [mean] if sd.value is None else [mean, " ± ", sd]
        if some and each["runs"] < each["of_runs"]:
            done = f"{folds_run.text} of {folds.text}"
            done += f", {runs.text} of {of_runs.text} runs" if len(seeds) > 1 else ""
            means.append(Text(f" (over {done} folds only)", "label"))
        done = [folds_run, " of ", folds]
        if len(seeds) > 1:
            done += [", ", runs, " of ", of_runs, " runs"]
        cells = [
            _fold(m, crossval, variant, index, fold, len(seeds)) for fold in range(data["folds"])
        ]
        rows.append([variant, pooled, means, done, *cells])
    plural = "s" * (len(seeds) > 1)
    caption = f"{data['checkpoint']} checkpoints, seed{plural} {', '.join(map(str, seeds))}"
    return Table(head, rows, f"Test accuracy, {caption}")


def _fold(
    m: Material, crossval: CrossValidation, variant: str, index: int, fold: int, seeds: int
) -> Cell:
    """A fold's accuracy, or why there is none."""
    document = crossval.document
    here = [run for run in document.at("runs") if (run["variant"], run["fold"]) == (variant, fold)]
    unfinished = [run["status"] for run in here if run["status"] != DONE]
    path = ("summaries", index, "fold_accuracies", str(fold))
    item = f"{variant}, fold {fold}"
    if not document.has(*path):
        source = document.pointer("summaries", index, "fold_accuracies")
        state = (unfinished or [NOT_RUN])[0]
        return m.book.show(RESULTS, item, None, PERCENT, source, missing=state)
    tested = max((run["total"] or 0 for run in here), default=0)
    shown = m.book.of(RESULTS, item, document, path, PERCENT, n=tested, unit="share of pictures")
    done = len(here) - len(unfinished)
    return shown if done == seeds else [shown, Text(f" ({done} of {seeds} seeds)", "label")]


def _comparisons(m: Material, crossval: CrossValidation) -> Table | None:
    document, data = crossval.document, crossval.document.data
    head = ["variant", "difference, points (95 %)", "p by fold", "p by fold, Holm",
            "its lowest", "p by image", "p by image, Holm", "only it right",
            "only the baseline right", "images", "people", "folds"]  # fmt: skip
    rows = []
    for index, each in enumerate(data["comparisons"]):
        path, name = ("comparisons", index), f"{each['variant']} against {each['baseline']}"

        def figure(key, style, name=name, path=path, **more):
            return m.book.of(RESULTS, f"{name}, {key}", document, (*path, key), style,
                             missing="-", **more)  # fmt: skip

        only_one_right: list[list[Cell]] = []
        for side in ("only_second", "only_first"):
            cell: list[Cell] = []
            for number, test in enumerate(each["mcnemar"]):
                cell += [" / "] * (number > 0)
                cell.append(m.book.of(RESULTS, f"{name}, seed {test['seed']}, {side}", document,
                                      (*path, "mcnemar", number, side), COUNT, unit="pictures"))  # fmt: skip
            only_one_right.append(cell or ["-"])
        source = f"{document.pointer(*path, 'folds')}: how many"
        folds = m.book.show(RESULTS, f"{name}, folds", len(each["folds"]), COUNT, source)
        around = (*path, "interval") if each["interval"] else None
        rows.append([
            each["variant"],
            figure("difference", POINTS, around=around, n=each["pictures"], unit="share"),
            *(figure(key, ".3g", n=len(each["folds"])) for key in ("p_folds", "p_folds_holm")),
            figure("p_folds_lowest", ".2g"),
            *(figure(key, ".3g", n=each["pictures"]) for key in ("p_pictures", "p_pictures_holm")),
            *only_one_right, figure("pictures", COUNT), figure("people", COUNT),
            [folds, Text(f" of {data['folds']}", "label")],
        ])  # fmt: skip
    return Table(head, rows, name="Comparisons") if rows else None


def _single(m: Material) -> Table:
    head = ["run", "accuracy, % (95 %)", "correct", "images", "people", "iteration", "of"]
    rows = []
    for run in m.sources.runs:
        result, item = run.evaluation, f"{run.name}, accuracy"
        if result is None:
            reason = "no held-out subjects" if run.info.fold == ALL else NOT_RUN
            reason = reason if run.config.trains_recognizer else "no recognizer"
            m.book.show(RESULTS, item, None, PERCENT, str(run.folder))
            rows.append([run.name, Text(reason, "none"), *[""] * 5])
            continue
        rows.append([
            run.name,
            m.book.of(RESULTS, item, result, ("accuracy",), PERCENT, around=("interval",),
                      n=result.at("total"), unit="share of pictures"),
            *(m.book.of(RESULTS, f"{run.name}, {name}", result, (key,), COUNT)
              for name, key in (("right", "correct"), ("pictures", "total"), ("people", "people"),
                                ("iteration", "step"), ("iterations asked", "max_iterations"))),
        ])  # fmt: skip
    return Table(head, rows, "Test accuracy of single runs")
