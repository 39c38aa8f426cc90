"""What the sections read from, and the warnings that stand above all values of the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.processes.jobs import DONE
from fesr_tf.report.embedded_images import Images
from fesr_tf.report.paper_values import DATABASES
from fesr_tf.report.values import Book
from fesr_tf.results.curves import Curve
from fesr_tf.results.sources import CrossValidation, RunSource, Sources
from pipelines.dataset.subjects import cautions, counted, known

DEMO = (
    "These are rendered faces of the demo database. The results show that the whole pipeline "
    "works; they say nothing about CK+ or any other database of photographs, and are not "
    "comparable with the paper's."
)


@dataclass(frozen=True)
class Material:
    """Everything that was read, and the collectors of what is shown.

    people: {person: {attribute: group}}. curves: {run folder: {tag: curve}}. commit: of the code
    that writes the report, None outside a working tree.
    """

    sources: Sources
    people: Mapping[str, Mapping[str, str]]
    curves: Mapping[Path, Mapping[str, Curve]]
    commit: str | None
    book: Book
    images: Images

    @property
    def runs(self) -> tuple[RunSource, ...]:
        """Every run, each once."""
        return self.sources.every_run


def evaluations(sources: Sources) -> dict[str, dict[Unit, dict]]:
    """{variant: {run: evaluation}} of all runs that were evaluated on the test part."""
    by_variant: dict[str, dict[Unit, dict]] = {}
    for run in sources.every_run:
        if run.evaluation and run.evaluation.data["split"] == "test":
            unit = Unit(run.info.variant, run.info.fold, run.config.seed)
            by_variant.setdefault(run.info.variant, {})[unit] = run.evaluation.data
    return by_variant


def first_of_variants(found: Iterable[RunSource]) -> dict[str, RunSource]:
    """{variant: its first run}."""
    chosen: dict[str, RunSource] = {}
    for run in found:
        chosen.setdefault(run.info.variant, run)
    return chosen


def missing_runs(crossval: CrossValidation) -> dict[str, list[str]]:
    """{variant: ['fold 1 (failed)', …]}: everything without a result, requested or not."""
    data = crossval.document.data
    seeds = data["asked"]["seeds"]
    status = {(r["variant"], r["fold"], r["seed"]): r["status"] for r in data["runs"]}
    missing: dict[str, list[str]] = {}
    for variant in data["variants"]:
        for seed in seeds:
            for fold in range(data["folds"]):
                state = status.get((variant, fold, seed), "not run")
                if state != DONE:
                    of = f" of seed {seed}" if len(seeds) > 1 else ""
                    missing.setdefault(variant, []).append(f"fold {fold}{of} ({state})")
    return missing


def warnings(sources: Sources) -> Iterator[str]:
    """Sentences that stand above all values."""
    manifest = sources.manifest
    if sources.database == "demo":
        yield DEMO
    for crossval in sources.crossvals:
        yield from _about_folds(crossval)
    if sources.runs and not sources.crossvals and manifest and manifest.folds > 1:
        given = {run.info.fold for run in sources.runs}
        absent = [k for k in range(manifest.folds) if k not in given]
        if absent:
            yield (
                f"These runs are of fold {_joined(given)} of {manifest.folds} folds; fold "
                f"{_joined(absent)} not run. Runs that are given one by one are not averaged."
            )
    yield from _about_people(sources)
    yield from _about_runs(sources.every_run)
    if manifest is None:
        yield (
            f"The data folder {sources.data} is absent or holds other data by now, so counts, "
            "folds and rejected images are not shown; give the folder by --data."
        )


def _about_folds(crossval: CrossValidation) -> Iterator[str]:
    """What is missing; one sentence for variants that lack the same folds."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for variant, missing in missing_runs(crossval).items():
        alike.setdefault(tuple(missing), []).append(variant)
    for missing, variants in alike.items():
        yield (
            f"{', '.join(variants)}: no result of {', '.join(missing)}. Means and pooled "
            "accuracies are over the other folds only."
        )


def _about_people(sources: Sources) -> Iterator[str]:
    manifest = sources.manifest
    one_person = manifest and sum(counted(manifest)) < 2
    if one_person:
        yield (
            "The database shows one person: the results say nothing about other people, and have "
            "no interval over people."
        )
    elif manifest and known(manifest) and not manifest.subject_independent:
        yield (
            "The folds of this database are not subject-independent: people of the test part may "
            "have been trained on."
        )
    yield from cautions(manifest) if manifest else ()
    evaluations = [run.evaluation.data for run in sources.every_run if run.evaluation]
    tested = {one["people"] for one in evaluations if not one.get("unknown_subjects")}
    if 1 in tested and not one_person:
        yield (
            "A test part shows one person: its accuracy is that person's. Its interval treats "
            "images as independent and says nothing about other people."
        )


def _about_runs(found: tuple[RunSource, ...]) -> Iterator[str]:
    for run in found:
        result = run.evaluation and run.evaluation.data
        last = result and result["checkpoint"] == runs.LAST
        if last and result["step"] < result["max_iterations"]:
            yield (
                f"{run.name} was evaluated before it was finished, at iteration "
                f"{result['step']} of {result['max_iterations']}."
            )
    for what in ("cores", "tensorflow"):
        values = {run.checkpoint.data.get(what) for run in found if run.checkpoint} - {None}
        if len(values) > 1:
            yield (
                f"The runs differ in {what} ({_joined(values)}), so that sums differ in their last "
                "bits: such runs differ as runs of different seeds do."
            )
    starts = [start for run in found if run.machine for start in run.machine.at("starts")]
    commits = {start.get("commit") for start in starts} - {None}
    if len(commits) > 1:
        yield (
            f"These runs were trained by {len(commits)} versions of the code; Timings and machine "
            "lists the commit of each run."
        )
    for variant in dict.fromkeys(run.info.variant for run in found):
        first, *others = (run.config for run in found if run.info.variant == variant)
        keys = {key for other in others for key in configs.differences(first, other)} - {"seed"}
        if keys:
            yield f"Runs of {variant} differ in their settings: {_joined(keys)}."
    if changed := {text for run in found for text in changed_settings(run)}:
        yield f"Trained with other settings than the database's own: {_joined(changed)}."


def changed_settings(run: RunSource) -> list[str]:
    """'width=0.125', …: settings other than those of the database and variant, but for the seed."""
    known = run.info.database in configs.names() and run.info.variant in configs.names("variants")
    if not known:
        return []
    usual = configs.resolve(run.info.database, run.info.variant)
    changed = configs.differences(usual, run.config)
    return [f"{key}={value}" for key, (_, value) in changed.items() if key != "seed"]


def paper_name(database: str) -> str | None:
    """The database's name in the paper; None if the paper does not use it."""
    return DATABASES.get(database)


def _joined(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values)))
