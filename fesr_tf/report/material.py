"""What the sections write from, and what a reader must know before any figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.crossvalidation.outcomes import Unit
from fesr_tf.processes.jobs import DONE
from fesr_tf.report.embedded_images import Pictures
from fesr_tf.report.paper_values import DATABASES
from fesr_tf.report.values import Book
from fesr_tf.results.curves import Curve
from fesr_tf.results.sources import CrossValidation, RunSource, Sources

BASE = "base.yaml"
DEMO = (
    "These faces are rendered people of the demo database. The figures show that the whole way "
    "works; they say nothing about CK+ or any other database of photographs, and stand beside none "
    "of the paper's."
)


@dataclass(frozen=True)
class Material:
    """Everything that was read, and what collects what is shown.

    people: {person: {attribute: group}}. curves: of each run, by its folder.
    """

    sources: Sources
    people: Mapping[str, Mapping[str, str]]
    curves: Mapping[Path, Mapping[str, Curve]]
    commit: str | None
    book: Book
    pictures: Pictures


def evaluations(sources: Sources) -> dict[str, dict[Unit, dict]]:
    """{variant: {run: its evaluation}} of everything that was evaluated on the test part."""
    found: dict[str, dict[Unit, dict]] = {}
    for run in sources.every_run:
        if run.evaluation and run.evaluation.data["split"] == "test":
            unit = Unit(run.info.variant, run.info.fold, run.config.seed)
            found.setdefault(run.info.variant, {})[unit] = run.evaluation.data
    return found


def missing_runs(crossval: CrossValidation) -> dict[str, list[str]]:
    """{variant: ['fold 1 (failed)', …]}: what there is no result of, asked for or not."""
    data = crossval.document.data
    seeds = data["asked"]["seeds"]
    status = {(r["variant"], r["fold"], r["seed"]): r["status"] for r in data["runs"]}
    found: dict[str, list[str]] = {}
    for variant in data["variants"]:
        for seed in seeds:
            for fold in range(data["folds"]):
                state = status.get((variant, fold, seed), "not run")
                if state != DONE:
                    of = f" of seed {seed}" if len(seeds) > 1 else ""
                    found.setdefault(variant, []).append(f"fold {fold}{of} ({state})")
    return found


def warnings(sources: Sources) -> Iterator[str]:
    """Sentences that stand above all figures."""
    if sources.database == "demo":
        yield DEMO
    for crossval in sources.crossvals:
        yield from _about_folds(crossval)
    if sources.runs and sources.manifest and sources.manifest.folds > 1:
        given = {run.info.fold for run in sources.runs}
        absent = [str(k) for k in range(sources.manifest.folds) if k not in given]
        if absent and not sources.crossvals:
            yield (
                f"Of {sources.manifest.folds} folds these runs are of {_listed(given)} alone; "
                f"fold{'s' if len(absent) > 1 else ''} {', '.join(absent)} not run. Runs that are "
                "given one by one are not averaged."
            )
    yield from _about_people(sources)
    yield from _about_runs(sources.every_run)
    if sources.manifest is None:
        yield (
            f"The data folder {sources.data} is not there, or holds other data by now: counts, "
            "folds and rejects cannot be told (--data says where it is)."
        )


def _about_folds(crossval: CrossValidation) -> Iterator[str]:
    """What is missing; variants that miss the same in one sentence."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for variant, lost in missing_runs(crossval).items():
        alike.setdefault(tuple(lost), []).append(variant)
    for lost, variants in alike.items():
        yield (
            f"{', '.join(variants)}: no result of {', '.join(lost)}. Means and pooled accuracies "
            "are over the others alone."
        )


def _about_people(sources: Sources) -> Iterator[str]:
    manifest = sources.manifest
    if manifest and len(manifest.counts["by_subject"]) < 2:
        yield (
            "The database shows one person: nothing here says how anybody else is recognised, and "
            "no interval over people can be given."
        )
    elif manifest and not manifest.subject_independent:
        yield (
            "This database's folds are not cut by person: people of the test part may have been "
            "trained on."
        )
    tested = {run.evaluation.data["people"] for run in sources.every_run if run.evaluation}
    if 1 in tested and not (manifest and len(manifest.counts["by_subject"]) < 2):
        yield (
            "Some test part shows one person: its accuracy is that person's, and its interval, "
            "which takes pictures for independent, says nothing of other people."
        )


def _about_runs(found: tuple[RunSource, ...]) -> Iterator[str]:
    for run in found:
        each = run.evaluation and run.evaluation.data
        if each and each["step"] < each["max_iterations"] and each["checkpoint"] == runs.LAST:
            yield (
                f"{run.name} was evaluated unfinished, at iteration {each['step']} of "
                f"{each['max_iterations']}."
            )
    for what in ("cores", "tensorflow"):
        values = {run.checkpoint.data.get(what) for run in found if run.checkpoint} - {None}
        if len(values) > 1:
            yield (
                f"The runs differ in their {what} ({_listed(values)}): sums come out otherwise in "
                "their last bits, so that such runs are compared as different draws."
            )
    starts = [start for run in found if run.machine for start in run.machine.at("starts")]
    commits = {start.get("commit") for start in starts} - {None}
    if len(commits) > 1:
        yield (
            f"These runs were trained by {len(commits)} states of the code; which by which stands "
            "under Timings and machine."
        )
    for variant in dict.fromkeys(run.info.variant for run in found):
        first, *others = (run.config for run in found if run.info.variant == variant)
        keys = {key for other in others for key in configs.differences(first, other)} - {"seed"}
        if keys:
            yield f"Runs of {variant} differ in their settings: {', '.join(sorted(keys))}."
    changed = {text for run in found for text in changed_settings(run)}
    if changed:
        yield (
            "Trained with other settings than the database's own file gives: "
            f"{', '.join(sorted(changed))}."
        )


def changed_settings(run: RunSource) -> list[str]:
    """'width=0.125', …: settings given on the command line, the seed apart."""
    if run.info.database not in configs.names() or run.info.variant not in configs.names(
        "variants"
    ):
        return []
    usual = configs.resolve(run.info.database, run.info.variant)
    changed = configs.differences(usual, run.config)
    return [f"{key}={value}" for key, (_, value) in changed.items() if key != "seed"]


def paper_name(database: str) -> str | None:
    """The database's name in the paper; None for one that it does not have."""
    return DATABASES.get(database)


def _listed(values: set) -> str:
    return ", ".join(sorted(map(str, values)))
