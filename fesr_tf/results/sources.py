"""The one reader of finished runs and cross-validations; the report and the figures use it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config import Config
from fesr_tf.config.variants import FIG_8
from fesr_tf.crossvalidation.outcomes import FORMAT
from fesr_tf.runs import files
from fesr_tf.runs.files import CROSSVAL
from pipelines.common.errors import BadUse, FailedWork, FesrError
from pipelines.dataset import manifest as manifests
from pipelines.dataset.manifest import Manifest

# The keys that the report and the figures use of each file.
EVALUATION = {"accuracy", "interval", "correct", "total", "split", "people", "step", "classes",
              "max_iterations", "confusion", "per_class", "predictions"}  # fmt: skip
CROSS_VALIDATION = {"format", "database", "data", "data_digest", "classes", "folds", "variants",
                    "baseline", "asked", "checkpoint", "overrides", "runs", "first_stages",
                    "summaries", "comparisons"}  # fmt: skip
SUMMARY = {"variant", "runs", "of_runs", "people", "fold_accuracies", "pooled"}
SYNTHESIS = {"fidelity", "networks", "expression", "notes", "protocols", "step", "max_iterations"}


@dataclass(frozen=True)
class Document:
    """The contents of a JSON file, and the name that the report gives it."""

    name: str
    data: Any

    def at(self, *path: str | int) -> Any:
        """The value under `path`; raises KeyError, IndexError or TypeError if it is absent."""
        value = self.data
        for key in path:
            value = value[key]
        return value

    def has(self, *path: str | int) -> bool:
        """True if `path` leads to a value, which may be None."""
        try:
            self.at(*path)
        except (KeyError, IndexError, TypeError):
            return False
        return True

    def pointer(self, *path: str | int) -> str:
        """`NAME#/a/0/b`: the file and a JSON pointer (RFC 6901)."""
        keys = (str(key).replace("~", "~0").replace("/", "~1") for key in path)
        return f"{self.name}#" + "".join(f"/{key}" for key in keys)


@dataclass(frozen=True)
class RunSource:
    """A run's folder; None stands for files that are absent or were not read.

    evaluation, synthesis: results of `fesr_tf.evaluate` and `fesr_tf.measure`. checkpoint:
    checkpoint.json of the newest checkpoint. machine: machine.json, an entry for each start.
    """

    folder: Path
    info: runs.RunInfo
    config: Config
    evaluation: Document | None = None
    synthesis: Document | None = None
    checkpoint: Document | None = None
    machine: Document | None = None

    @property
    def place(self) -> tuple[int, float]:
        """Sort key: seed, then fold; `fold-all` comes last."""
        fold = self.info.fold
        return self.config.seed, fold if isinstance(fold, int) else math.inf

    @property
    def name(self) -> str:
        """'FESR_JL, fold 0', followed by the seed unless it is 0."""
        seed = f", seed {self.config.seed}" if self.config.seed else ""
        return f"{self.info.variant}, fold {self.info.fold}{seed}"


@dataclass(frozen=True)
class CrossValidation:
    """A crossval.json, and those of its runs whose folders exist, by (variant, fold, seed)."""

    path: Path
    document: Document
    runs: dict[tuple[str, int, int], RunSource]


@dataclass(frozen=True)
class Sources:
    """The inputs of one report. asked: the paths as given. runs: those given one by one and in no
    cross-validation. manifest: None if the data folder is absent or holds other data."""

    asked: tuple[str, ...]
    runs: tuple[RunSource, ...]
    crossvals: tuple[CrossValidation, ...]
    data: Path
    manifest: Manifest | None

    @property
    def database(self) -> str:
        return self._first("database")

    @property
    def digest(self) -> str:
        return self._first("data_digest")

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self._first("classes"))

    @property
    def every_run(self) -> tuple[RunSource, ...]:
        """Single runs and runs of cross-validations, each once, in the order of Fig. 8."""
        by_folder = {run.folder.resolve(): run for run in self.runs}
        for crossval in self.crossvals:
            by_folder |= {run.folder.resolve(): run for run in crossval.runs.values()}
        return tuple(sorted(by_folder.values(), key=_order))

    def _first(self, name: str):
        if self.crossvals:
            return self.crossvals[0].document.data[name]
        return getattr(self.runs[0].info, name)


def _order(run: RunSource) -> tuple:
    name = run.info.variant
    return (FIG_8.index(name) if name in FIG_8 else len(FIG_8)), name, run.place


def read(paths: Sequence[Path], data: Path | None = None) -> Sources:
    """Reads runs and cross-validations with all their results. data: the data folder, if it has
    moved. Raises like `read_each`, and `BadUse` if `data` holds other data."""
    single, crossvals = read_each(paths)
    first = crossvals[0].document.data if crossvals else vars(single[0].info)
    folder = Path(data or first["data"])
    manifest = read_manifest(folder, first["data_digest"], given=data is not None)
    within = {r.folder.resolve() for each in crossvals for r in each.runs.values()}
    single = [run for run in single if run.folder.resolve() not in within]
    return Sources(tuple(map(str, paths)), tuple(single), tuple(crossvals), folder, manifest)


def read_each(
    paths: Sequence[Path], results: bool = True
) -> tuple[list[RunSource], list[CrossValidation]]:
    """Reads run folders, crossval.json files and folders that hold one, each path once.

    results: False reads only run.json and config.yaml of runs, and only crossval.json of
    cross-validations. Raises `BadUse` for paths that are neither, and for data or classes that
    differ, naming both; `FailedWork` for files that are damaged or contradict each other.
    """
    single, crossvals = [], []
    for path in dict.fromkeys(paths):
        file = path / CROSSVAL if path.is_dir() else path
        if files.is_run(path):
            single.append(read_run(path) if results else read_settings(path))
        elif file.name == CROSSVAL and file.is_file():
            crossvals.append(read_crossval(file, results))
        else:
            raise BadUse(
                f"{path} is neither a run (no {files.INFO}) nor a cross-validation (no "
                f"{CROSSVAL}); give runs/<db>/<variant>/fold-NN or runs/<db>"
            )
    require_same_data(single, crossvals)
    return single, crossvals


def read_settings(folder: Path) -> RunSource:
    """run.json and config.yaml alone; raises `BadUse` or `FailedWork` if one cannot be read."""
    return RunSource(folder, runs.read_info(folder), configs.load(folder / files.CONFIG))


def read_run(folder: Path, evaluation: str | None = "evaluation.json") -> RunSource:
    """A run with its results. evaluation: the name of its file, None for none.

    Raises `BadUse` if `folder` is not a run; `FailedWork` if it is damaged, or if an evaluation or
    a measurement is of other data than the run's.
    """
    run, again = read_settings(folder), "train the run again"
    results: list[Document | None] = []
    for name, keys, verb in ((evaluation, EVALUATION, "evaluate"),
                             (files.SYNTHESIS, SYNTHESIS, "measure")):  # fmt: skip
        result = _json(folder / name, keys, f"{verb} the run again") if name else None
        if result and result.data.get("data_digest") != run.info.data_digest:
            raise FailedWork(f"{result.name} is of other data than the run; {verb} the run again")
        results.append(result)
    about = None
    if steps := files.steps(folder / files.CHECKPOINTS):
        newest = files.step_folder(folder / files.CHECKPOINTS, steps[-1])
        about = _json(newest / files.CHECKPOINT_INFO, {"step"}, again)
    machine = _json(folder / files.MACHINE, {"starts"}, f"remove it, or {again}")
    return RunSource(folder, run.info, run.config, *results, about, machine)


def read_crossval(path: Path, results: bool = True) -> CrossValidation:
    """crossval.json, and with `results` its runs. Raises `FailedWork` if it is damaged, of another
    format, or contradicts the evaluation of a run."""
    again = "run the same fesr_tf.crossval command again, which keeps finished runs"
    document, entries = _json(path, CROSS_VALIDATION, again), []
    found = {}
    try:
        if (version := document.data["format"]) != FORMAT:
            raise FailedWork(f"{path} has format {version}, but {FORMAT} is needed; {again}")
        for summary in document.data["summaries"]:
            if missing := SUMMARY - summary.keys():
                raise KeyError(min(missing))
        if results:
            entries = [*document.data["runs"], *document.data["first_stages"]]
        for entry in entries:
            # The entry is all that is known of a run whose folder is absent.
            folder = Path(os.path.normpath(path.parent / entry["folder"]))
            if not files.is_run(folder):
                continue
            # An evaluation that the entry does not name is of another state of the run.
            name = Path(entry["evaluation"]).name if entry.get("evaluation") else None
            run = read_run(folder, name)
            found[entry["variant"], entry["fold"], entry["seed"]] = run
            _require_agreement(path, entry, run, again)
    except (KeyError, TypeError, AttributeError) as error:
        raise FailedWork(f"{path} is damaged ({error!r}); {again}") from None
    return CrossValidation(path, document, found)


def _require_agreement(path: Path, entry: dict, run: RunSource, again: str) -> None:
    for name in ("data_digest", "step", "correct", "total") if run.evaluation else ():
        if run.evaluation.data[name] != entry[name]:
            raise FailedWork(
                f"{path} and {run.evaluation.name} differ in {name} ({entry[name]} and "
                f"{run.evaluation.data[name]}); {again}"
            )


def require_same_data(single: Iterable[RunSource], crossvals: Iterable[CrossValidation]) -> None:
    """Raises `BadUse` naming two of them whose data or classes differ."""
    known = [(run.folder, vars(run.info)) for run in single]
    for crossval in crossvals:
        known.append((crossval.path, crossval.document.data))
        known += [(run.folder, vars(run.info)) for run in crossval.runs.values()]
    for path, about in known[1:]:
        first, other = known[0][1], about
        if list(first["classes"]) != list(other["classes"]):
            differ = runs.other_classes(tuple(first["classes"]), tuple(other["classes"]))
            raise BadUse(
                f"{known[0][0]} and {path} have other classes ({differ}); give one of them"
            )
        if first["data_digest"] != other["data_digest"]:
            digests = " and ".join(each["data_digest"][:12] for each in (first, other))
            raise BadUse(
                f"{known[0][0]} and {path} are of different data (digests {digests}); give runs of "
                "the same data"
            )


def read_manifest(folder: Path, digest: str, given: bool) -> Manifest | None:
    """The manifest of the data; None if it is absent or of other data, but `BadUse` if the folder
    was `given`."""
    try:
        manifest = manifests.load(folder)
    except FesrError:
        if given:
            raise
        return None
    if given and manifest.digest != digest:
        raise BadUse(
            f"{folder} holds other data (digest {manifest.digest[:12]}) than the runs were trained "
            f"on ({digest[:12]}); give the runs' own data by --data DIR"
        )
    return manifest if manifest.digest == digest else None


def _json(path: Path, needed: set[str], again: str) -> Document | None:
    """The file, None if it is absent; `FailedWork` if it is damaged or lacks a needed key."""
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if missing := needed - data.keys():
            raise KeyError(min(missing))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FailedWork(f"{path} is damaged ({error!r}); {again}") from None
    return Document(str(path), data)
