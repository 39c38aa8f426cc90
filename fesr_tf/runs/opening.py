"""Opens a finished run: its networks with the weights of a checkpoint, and its data."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from fesr_tf import config as configs
from fesr_tf.config import Config
from fesr_tf.data import Fold, load_fold
from fesr_tf.model.fesr import FESR, build
from fesr_tf.runs.checkpoints import Checkpoints
from fesr_tf.runs.folder import BEST, LAST, RunInfo, other_classes, read_info
from pipelines.common.errors import BadUse
from pipelines.dataset import manifest as manifests


@dataclass(frozen=True)
class Run:
    """A run opened for use: its networks carry the weights of a checkpoint, that of `step`.

    checkpoint: which one, "last" or "best".
    """

    folder: Path
    info: RunInfo
    config: Config
    fesr: FESR
    step: int
    checkpoint: str = LAST


def open_run(folder: str | Path, checkpoint: str = LAST) -> Run:
    """Builds the run's networks and loads its last checkpoint, or its best one.

    The best is that of R's highest accuracy on the validation part, the earliest of equal ones;
    the test part has no say. Where none was validated the last one is taken, with a note.
    Raises `BadUse` for a folder that is not a run or has no checkpoint yet, `FailedWork` for
    a checkpoint that is damaged or of other widths than config.yaml says.
    """
    folder = Path(folder)
    info = read_info(folder)
    config = configs.load(folder / "config.yaml")
    model = build(config, len(info.classes))
    if checkpoint == BEST:
        step = Checkpoints(model, folder / BEST, 1).restore()
        if step is not None:
            return Run(folder, info, config, model, step, BEST)
        print(
            f"note: {folder} has no validated checkpoint (no validation part, or none was due "
            "yet): its last one stands for its best",
            file=sys.stderr,
        )
    step = Checkpoints(model, folder / "checkpoints", config.keep_checkpoints).restore()
    if step is None:
        raise BadUse(f"{folder} has no checkpoint yet: train it first")
    return Run(folder, info, config, model, step)


def add_checkpoint_option(parser: argparse.ArgumentParser) -> None:
    """`--checkpoint last|best`, for commands that open a run.

    The last is the default: the paper trains for a fixed number of iterations, and a best one is
    chosen by as few faces as the validation part has.
    """
    parser.add_argument(
        "--checkpoint",
        choices=(LAST, BEST),
        default=LAST,
        help="the last one, or where R was best on the validation part [%(default)s]",
    )


def load_data(run: Run, folder: str | Path | None = None) -> Fold:
    """The run's fold, from the data folder that it was trained on or where that has moved to.

    Raises `BadUse` where there is no data folder, or one with other data than the run's.
    """
    folder = Path(folder or run.info.data)
    if not folder.exists():
        raise BadUse(f"the data of {run.folder} are not at {folder}: say where by --data DIR")
    manifest = manifests.load(folder)
    if manifest.digest != run.info.data_digest:
        there, learnt = tuple(manifest.classes), run.info.classes
        classes = "" if there == learnt else f"; classes: {other_classes(learnt, there)}"
        raise BadUse(
            f"{folder} holds other data (digest {manifest.digest[:12]}) than {run.folder} was "
            f"trained on ({run.info.data_digest[:12]}{classes}): give the run's own data by "
            "--data DIR, or train again"
        )
    return load_fold(folder, run.info.fold, run.config)


def require_recognizer(run: Run) -> None:
    """Raises `BadUse` where the run's recogniser has not been trained."""
    config = run.config
    if not config.trains_recognizer:
        raise BadUse(
            f"{run.folder} is a run of {run.info.variant}, which trains FESGAN alone: "
            "it has no trained recogniser"
        )
    if run.step <= config.pretrain_iterations:
        raise BadUse(
            f"{run.folder} is at iteration {run.step} and its recogniser learns only after "
            f"{config.pretrain_iterations}: train on by the same command as before"
        )
