"""Accuracy: of cross-validations fold by fold and compared, of single runs one by one."""

from __future__ import annotations

from fesr_tf.data import ALL
from fesr_tf.processes.jobs import DONE
from fesr_tf.report.charts import Bar, intervals
from fesr_tf.report.html import Raw, Section, heading, paragraph, table
from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT, NOT_RUN, PERCENT, POINTS
from fesr_tf.results.sources import CrossValidation

RESULTS = "results"


def section(m: Material) -> Section:
    """Recognition of test people, and the comparison of the variants."""
    parts = []
    for crossval in m.sources.crossvals:
        parts += [_chart(m, crossval), _folds(m, crossval), _comparisons(m, crossval)]
    if m.sources.runs:
        parts.append(_single(m))
    return Section(RESULTS, "Accuracy", "".join(parts))


def _chart(m: Material, crossval: CrossValidation) -> str:
    """Fig. 8 with intervals."""
    bars = []
    for index, each in enumerate(crossval.document.at("summaries")):
        variant, pooled = each["variant"], each["pooled"]
        path = ("summaries", index, "pooled", "accuracy")
        m.book.of(RESULTS, f"{variant}, pooled accuracy, chart", crossval.document, path, PERCENT)
        number = len(m.book.figures) - 1
        if not each["runs"]:
            bars.append(Bar(variant, None, None, None, (), number, NOT_RUN))
            continue
        folds = tuple(each["fold_accuracies"].values())
        shown = f"{100 * pooled['accuracy']:.1f}"
        bars.append(Bar(variant, pooled["accuracy"], *pooled["interval"], folds, number, shown))
    title = "Accuracy of each variant, pooled over folds, with its 95 % interval"
    about = (
        "As the paper's Fig. 8, with intervals: coloured dots are pooled accuracies of test "
        "pictures, lines their 95 % intervals (Wilson), circles single folds."
    )
    return f'<figure class="big">{intervals(bars, title)}<figcaption>{about}</figcaption></figure>'


def _folds(m: Material, crossval: CrossValidation) -> str:
    document, data = crossval.document, crossval.document.data
    seeds = data["asked"]["seeds"]
    head = ["variant", "pooled, % (95 %)", "mean ± sd, %", "folds"]
    head += [f"fold {fold}" for fold in range(data["folds"])]
    rows = []
    for index, each in enumerate(data["summaries"]):
        variant, path = each["variant"], ("summaries", index)
        pooled = m.book.of(
            RESULTS, f"{variant}, pooled accuracy", document, (*path, "pooled", "accuracy"),
            PERCENT, around=(*path, "pooled", "interval") if each["runs"] else None,
            n=each["pooled"]["pictures"], unit="share of pictures",
        )  # fmt: skip
        mean = m.book.of(RESULTS, f"{variant}, mean over folds", document, (*path, "mean"), PERCENT,
                         n=each["folds_run"], unit="share, of folds")  # fmt: skip
        sd = m.book.of(RESULTS, f"{variant}, sd over folds", document, (*path, "sd"), PERCENT,
                       n=each["folds_run"], unit="share, n - 1", missing="-")  # fmt: skip
        of = [
            m.book.of(RESULTS, f"{variant}, {key}", document, (*path, key), COUNT)
            for key in ("folds_run", "folds", "runs", "of_runs")
        ]
        done = f"{of[0]} of {of[1]}"
        if each["runs"]:
            mean = f"{mean} ± {sd}"
        if 0 < each["runs"] < each["of_runs"]:
            mean += f' <span class="i">(over {done} folds only)</span>'
        if len(seeds) > 1:
            done += f", {of[2]} of {of[3]} runs"
        cells = [
            _fold(m, crossval, variant, index, fold, len(seeds)) for fold in range(data["folds"])
        ]
        rows.append([variant, pooled, Raw(mean), Raw(done), *cells])
    caption = f"Test accuracy, {data['checkpoint']} checkpoints, {_seeds(seeds)}"
    notes = (
        "mean ± sd is over the accuracies of folds (n - 1): it tells how much folds differ, not "
        "how sure the mean is, as folds share most of their training people. The interval is "
        "Wilson's over pooled pictures; it takes them for independent, and where a person has "
        "several it is too narrow."
    )
    return (
        heading("Fold by fold")
        + table(head, rows, numbers=range(1, len(head)), caption=caption)
        + paragraph(notes, "note")
    )


def _fold(
    m: Material, crossval: CrossValidation, variant: str, index: int, fold: int, seeds: int
) -> str:
    """A fold's accuracy, or why there is none."""
    document = crossval.document
    here = [run for run in document.at("runs") if (run["variant"], run["fold"]) == (variant, fold)]
    lost = [run["status"] for run in here if run["status"] != DONE]
    path = ("summaries", index, "fold_accuracies", str(fold))
    item = f"{variant}, fold {fold}"
    if not document.has(*path):
        state = (lost or [NOT_RUN])[0]
        source = document.pointer("summaries", index, "fold_accuracies")
        return m.book.show(RESULTS, item, None, PERCENT, source, missing=state)
    tested = max((run["total"] or 0 for run in here), default=0)
    shown = m.book.of(RESULTS, item, document, path, PERCENT, n=tested, unit="share of pictures")
    done = len(here) - len(lost)
    return (
        shown if done == seeds else Raw(f'{shown} <span class="i">({done} of {seeds} seeds)</span>')
    )


def _seeds(seeds: list[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _comparisons(m: Material, crossval: CrossValidation) -> str:
    document, data = crossval.document, crossval.document.data
    if not data["comparisons"]:
        return paragraph("One variant alone: nothing to compare.", "none")
    head = ["variant", "difference, points (95 %)", "p by fold", "p by fold, Holm",
            "its lowest", "p by picture", "p by picture, Holm", "only it right",
            "only the baseline", "pictures", "people", "folds"]  # fmt: skip
    rows = []
    for index, each in enumerate(data["comparisons"]):
        path, name = ("comparisons", index), f"{each['variant']} against {each['baseline']}"

        def figure(key, style, name=name, path=path, **more):
            return m.book.of(RESULTS, f"{name}, {key}", document, (*path, key), style,
                             missing="-", **more)  # fmt: skip

        around = (*path, "interval") if each["interval"] else None
        odd = [
            Raw(" / ".join(
                m.book.of(RESULTS, f"{name}, seed {test['seed']}, {side}", document,
                          (*path, "mcnemar", number, side), COUNT, unit="pictures")
                for number, test in enumerate(each["mcnemar"])) or "-")
            for side in ("only_second", "only_first")
        ]  # fmt: skip
        common = m.book.show(
            RESULTS,
            f"{name}, folds",
            len(each["folds"]),
            COUNT,
            f"{document.pointer(*path, 'folds')}: how many",
        )
        rows.append([
            each["variant"],
            figure("difference", POINTS, around=around, n=each["pictures"], unit="share"),
            *(figure(key, ".3g", n=len(each["folds"])) for key in ("p_folds", "p_folds_holm")),
            figure("p_folds_lowest", ".2g"),
            *(figure(key, ".3g", n=each["pictures"]) for key in ("p_pictures", "p_pictures_holm")),
            *odd, figure("pictures", COUNT), figure("people", COUNT),
            Raw(f'{common} <span class="i">of {data["folds"]}</span>'),
        ])  # fmt: skip
    family = len(data["comparisons"])
    notes = (
        "difference: of pooled accuracies, its interval by drawing whole people again (10,000 "
        "times), the trained networks held fixed. p by fold: every pattern of signs of the folds' "
        "differences, exact; it cannot be lower than its lowest, however large the difference. p "
        f"by picture: McNemar's test, exact. Holm: corrected over the {family} "
        f"comparison{'s' if family > 1 else ''} here, each test by itself."
    )
    return (
        heading(f"Against {data['baseline']}")
        + table(head, rows, numbers=range(1, len(head)), name="Comparisons")
        + paragraph(notes, "note")
    )


def _single(m: Material) -> str:
    head = ["run", "accuracy, % (95 %)", "right", "pictures", "people", "iteration", "of"]
    rows = []
    for run in m.sources.runs:
        found = run.evaluation
        if found is None:
            reason = "nobody was held out" if run.info.fold == ALL else NOT_RUN
            reason = reason if run.config.trains_recognizer else "no recogniser"
            m.book.show(RESULTS, f"{run.name}, accuracy", None, PERCENT, str(run.folder))
            rows.append([run.name, Raw(f'<span class="none">{reason}</span>'), *[""] * 5])
            continue
        item = f"{run.name}, accuracy"
        rows.append([
            run.name,
            m.book.of(RESULTS, item, found, ("accuracy",), PERCENT, around=("interval",),
                      n=found.at("total"), unit="share of pictures"),
            *(m.book.of(RESULTS, f"{run.name}, {name}", found, (key,), COUNT)
              for name, key in (("right", "correct"), ("pictures", "total"), ("people", "people"),
                                ("iteration", "step"), ("iterations asked", "max_iterations"))),
        ])  # fmt: skip
    note = (
        "Runs given one by one: nothing is averaged and nothing tested (fesr_tf.crossval does "
        "that). The interval is Wilson's and takes pictures for independent; several are of one "
        "person, so the true one is wider."
    )
    return (
        heading("Single runs")
        + table(head, rows, numbers=range(1, len(head)), caption="Test accuracy of single runs")
        + paragraph(note, "note")
    )
