"""What a report is made of: runs, cross-validations and the data that they share, as files say."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf import runs
from fesr_tf.config import Config
from fesr_tf.crossvalidation.outcomes import FORMAT
from fesr_tf.results.documents import Document
from fesr_tf.runs.files import CHECKPOINT_INFO as ABOUT
from fesr_tf.runs.files import MACHINE
from pipelines.common.errors import BadUse, FailedWork, FesrError
from pipelines.dataset import manifest as manifests
from pipelines.dataset.manifest import Manifest

CROSSVAL = "crossval.json"
# What the page takes from each file.
EVALUATION = {"accuracy", "interval", "correct", "total", "split", "people", "step", "classes",
              "max_iterations", "confusion", "per_class", "predictions"}  # fmt: skip
CROSS_VALIDATION = {"format", "database", "data", "data_digest", "classes", "folds", "variants",
                    "baseline", "asked", "checkpoint", "overrides", "runs", "first_stages",
                    "summaries", "comparisons"}  # fmt: skip
SYNTHESIS = {"fidelity", "networks", "expression", "notes", "protocols", "step", "max_iterations"}


@dataclass(frozen=True)
class RunSource:
    """A run as its folder tells it; None for what was not done or not noted.

    evaluation, synthesis: of `fesr_tf.evaluate` and `measure`. checkpoint: checkpoint.json of its
    newest one. machine: what `fesr_tf.train` noted of the machine, a start after another.
    """

    folder: Path
    info: runs.RunInfo
    config: Config
    evaluation: Document | None
    synthesis: Document | None
    checkpoint: Document | None
    machine: Document | None

    @property
    def place(self) -> tuple[int, float]:
        """Its seed and fold, to be ordered by; what has no number comes last."""
        fold = self.info.fold
        return self.config.seed, fold if isinstance(fold, int) else math.inf

    @property
    def name(self) -> str:
        """'FESR_JL, fold 0', and its seed where it is not 0."""
        seed = f", seed {self.config.seed}" if self.config.seed else ""
        return f"{self.info.variant}, fold {self.info.fold}{seed}"


@dataclass(frozen=True)
class CrossValidation:
    """A crossval.json; runs: those of its runs whose folders are there, by (variant, fold,
    seed)."""

    path: Path
    document: Document
    runs: dict[tuple[str, int, int], RunSource]


@dataclass(frozen=True)
class Sources:
    """Everything that one report is of. manifest is None where the data folder is not there, or
    holds other data by now. asked: the paths as they were given."""

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
        """Those given one by one and those of the cross-validations, each once."""
        found = {run.folder.resolve(): run for run in self.runs}
        for each in self.crossvals:
            found |= {run.folder.resolve(): run for run in each.runs.values()}
        return tuple(sorted(found.values(), key=_order))

    def _first(self, name: str):
        if self.crossvals:
            return self.crossvals[0].document.data[name]
        return getattr(self.runs[0].info, name)


def _order(run: RunSource) -> tuple:
    variants = ["BASELINE", "FESR_SL", "FESR_OneSt", "FESR_Real", "FESR_JL-IL", "FESR_JL-RDBP",
                "FESR_JL"]  # fmt: skip
    name = run.info.variant
    place = variants.index(name) if name in variants else len(variants)
    return place, name, run.place


def read(paths: Sequence[Path], data: Path | None = None) -> Sources:
    """Reads runs, crossval.json files and folders that hold one. data: where the data are, if
    they have moved.

    Raises `BadUse` for what is neither and for data or classes that differ, naming both;
    `FailedWork` for files that are damaged or contradict each other.
    """
    alone, crossvals = [], []
    for path in dict.fromkeys(paths):
        file = path / CROSSVAL if path.is_dir() else path
        if (path / "run.json").exists():
            alone.append(read_run(path))
        elif file.name == CROSSVAL and file.is_file():
            crossvals.append(read_crossval(file))
        else:
            raise BadUse(
                f"{path} is neither a run (it has no run.json) nor a cross-validation (it has no "
                f"{CROSSVAL}): give runs/<db>/<variant>/fold-NN or runs/<db>"
            )
    require_same_data(alone, crossvals)
    first = crossvals[0].document.data if crossvals else vars(alone[0].info)
    folder = Path(data or first["data"])
    manifest = read_manifest(folder, first["data_digest"], given=data is not None)
    within = {r.folder.resolve() for each in crossvals for r in each.runs.values()}
    alone = [run for run in alone if run.folder.resolve() not in within]
    return Sources(tuple(map(str, paths)), tuple(alone), tuple(crossvals), folder, manifest)


def read_run(folder: Path, evaluation: str | None = "evaluation.json") -> RunSource:
    """evaluation: the name of its file, None for none. Raises `BadUse` for a folder that is not a
    run, `FailedWork` for a damaged one and for an evaluation or a measurement of other data than
    the run's."""
    info, config = runs.read_info(folder), configs.load(folder / "config.yaml")
    found = None
    if evaluation:
        found = _json(folder / evaluation, EVALUATION, "evaluate the run again")
    drawn = _json(folder / "synthesis.json", SYNTHESIS, "measure the run again")
    for each, word in ((found, "evaluate"), (drawn, "measure")):
        if each and each.data.get("data_digest") != info.data_digest:
            raise FailedWork(f"{each.name} is of other data than the run: {word} the run again")
    steps = sorted((folder / "checkpoints").glob("step-*"))
    again = "train the run again"
    about = _json(steps[-1] / ABOUT, {"step"}, again) if steps else None
    machine = _json(folder / MACHINE, {"starts"}, f"remove it, or {again}")
    return RunSource(folder, info, config, found, drawn, about, machine)


def read_crossval(path: Path) -> CrossValidation:
    """Reads crossval.json and its runs. Raises `FailedWork` where it is damaged, or says
    something else than a run's evaluation does."""
    again = "run the same fesr_tf.crossval again"
    document = _json(path, CROSS_VALIDATION, again)
    if document.data["format"] != FORMAT:
        raise FailedWork(f"{path} is of another version of this project: {again}")
    found = {}
    try:
        for entry in [*document.data["runs"], *document.data["first_stages"]]:
            # Of a run that is not there the entry is all that is known.
            folder = Path(os.path.normpath(path.parent / entry["folder"]))
            if not (folder / "run.json").exists():
                continue
            # One that is there and was not counted is of another state of the run.
            name = Path(entry["evaluation"]).name if entry.get("evaluation") else None
            run = read_run(folder, name)
            found[entry["variant"], entry["fold"], entry["seed"]] = run
            _agree(path, entry, run, again)
    except (KeyError, TypeError, AttributeError) as error:
        raise FailedWork(f"{path} is damaged ({error!r}): {again}") from None
    return CrossValidation(path, document, found)


def _agree(path: Path, entry: dict, run: RunSource, again: str) -> None:
    if run.evaluation is None:
        return
    for name in ("data_digest", "step", "correct", "total"):
        if run.evaluation.data[name] != entry[name]:
            raise FailedWork(
                f"{path} and {run.evaluation.name} differ in their {name} ({entry[name]} and "
                f"{run.evaluation.data[name]}): {again}"
            )


def require_same_data(alone: Iterable[RunSource], crossvals: Iterable[CrossValidation]) -> None:
    """Raises `BadUse` naming two of them whose data or classes differ."""
    known = [(run.folder, vars(run.info)) for run in alone]
    for each in crossvals:
        known.append((each.path, each.document.data))
        known += [(run.folder, vars(run.info)) for run in each.runs.values()]
    for folder, one in known[1:]:
        for what in ("data_digest", "classes"):
            here, there = known[0][1][what], one[what]
            if list(here) != list(there):
                told = [t[:12] if isinstance(t, str) else ", ".join(t) for t in (here, there)]
                raise BadUse(
                    f"{known[0][0]} and {folder} differ in their {what.replace('_', ' ')} "
                    f"({told[0]} and {told[1]}): what one report is of must share them"
                )


def read_manifest(folder: Path, digest: str, given: bool) -> Manifest | None:
    """The manifest of the data, None where they are not there or are others by now; raises
    `BadUse` for that where the folder was given."""
    try:
        manifest = manifests.load(folder)
    except FesrError:
        if given:
            raise
        return None
    if manifest.digest == digest:
        return manifest
    if given:
        raise BadUse(
            f"{folder} holds other data (digest {manifest.digest[:12]}) than the runs were trained "
            f"on ({digest[:12]}): give the runs' own data by --data DIR"
        )
    return None


def train_command(run: RunSource) -> str:
    """The command that trains this very run."""
    info = run.info
    usual = configs.resolve(info.database, info.variant)
    changed = configs.differences(usual, run.config)
    overrides = [f"{key}={json.dumps(value)}" for key, (_, value) in changed.items()]
    runs_folder = run.folder.parent.parent.parent
    words = ["python", "-m", "fesr_tf.train", "--db", info.database, "--data", info.data]
    words += ["--fold", str(info.fold), "--variant", info.variant, "--runs", str(runs_folder)]
    return shlex.join(words + overrides)


def _json(path: Path, needed: set[str], again: str) -> Document | None:
    """The file, None where there is none; `FailedWork` where it is not what it should be."""
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if missing := needed - data.keys():
            raise KeyError(min(missing))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FailedWork(f"{path} is damaged ({error!r}): {again}") from None
    return Document(str(path), data)
