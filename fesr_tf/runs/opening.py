"""Opens a run: its networks with the weights of a checkpoint, and its data."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from fesr_tf import config as configs
from fesr_tf.config import Config
from fesr_tf.data import Faces, Fold, load_fold, load_tested
from fesr_tf.data.images import from_model, to_model
from fesr_tf.model.fesr import FESR, build
from fesr_tf.runs import files
from fesr_tf.runs.checkpoints import Checkpoints
from fesr_tf.runs.files import BEST, LAST
from fesr_tf.runs.folder import RunInfo, other_classes, read_info
from pipelines.common.errors import BadUse
from pipelines.common.files import location
from pipelines.dataset import manifest as manifests


@dataclass(frozen=True)
class Run:
    """An opened run: its networks hold the weights of the checkpoint of `step`.

    checkpoint: "last" or "best".
    """

    folder: Path
    info: RunInfo
    config: Config
    fesr: FESR
    step: int
    checkpoint: str = LAST

    def classify(self, images: np.ndarray) -> Predictions:
        """Classifies aligned faces with R.

        Args:
            images: uint8 (B,H,W,1) or (B,H,W,3) in [0,255], aligned as `pipelines.preprocess`
                aligns them; resized to the run's size and channels.

        Returns:
            `labels`, the most probable class of each image, and `probabilities`, float32 (B,K).

        Raises:
            BadUse: R has not been trained in this run, or the images are of another shape or type.

        Example:
            >>> run = fesr_tf.open_run("runs/demo/FESR_JL/fold-00")
            >>> labels, probabilities = run.classify(np.zeros((2, 128, 128, 1), np.uint8))
            >>> len(labels), probabilities.shape
            (2, (2, 8))
        """
        require_recognizer(self)
        logits = self.fesr.predict(self._input(images), verbose=0)
        labels = tuple(self.info.classes[k] for k in logits.argmax(-1))
        return Predictions(labels, tf.nn.softmax(logits).numpy())

    def synthesize(self, images: np.ndarray, expression: str, intensity: float = 1.0) -> np.ndarray:
        """Generates the same faces with another expression (eq. 4: x^{t,f}).

        Args:
            images: uint8 (B,H,W,1) or (B,H,W,3) in [0,255], aligned faces.
            expression: A class of the run.
            intensity: Of the expression, in [-1,1]: -1 absent, 1 full (eq. 2 trains on [0,1]).

        Returns:
            uint8 (B,S,S,c) in [0,255], at the run's size and channels.

        Raises:
            BadUse: The run has no generator or no such class, the intensity is out of range, or
                the images are of another shape or type.

        Example:
            >>> run = fesr_tf.open_run("runs/demo/FESR_JL/fold-00")
            >>> run.synthesize(np.zeros((2, 128, 128, 1), np.uint8), "happiness", 0.5).dtype
            dtype('uint8')
        """
        if not self.config.trains_fesgan:
            raise BadUse(f"{self.folder} is a run of {self.info.variant}, which has no generator")
        if expression not in self.info.classes:
            known = ", ".join(self.info.classes)
            raise BadUse(f"no expression {expression!r} in {self.folder}; its classes are: {known}")
        if not -1 <= intensity <= 1:
            raise BadUse(f"intensity={intensity} is outside -1 to 1")
        codes = np.full((len(images), len(self.info.classes)), -1.0, np.float32)
        codes[:, self.info.classes.index(expression)] = intensity
        return from_model(self.fesr.fesgan((self._input(images), tf.constant(codes))))

    def _input(self, images: np.ndarray) -> tf.Tensor:
        """uint8 faces of any size -> the networks' input, float32 (B,S,S,c) in [-1,1]."""
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
            raise BadUse(
                f"images must be uint8 of shape (B,H,W,1) or (B,H,W,3), not {images.dtype} of "
                f"shape {images.shape}"
            )
        return to_model(images, self.config.image_size, self.config.channels)


class Predictions(NamedTuple):
    """The result of `Run.classify`: B labels, and probabilities float32 (B,K)."""

    labels: tuple[str, ...]
    probabilities: np.ndarray


def open_run(folder: str | Path, checkpoint: str = LAST) -> Run:
    """Builds a run's networks and loads its last checkpoint, or its best one.

    With `ema`, G and R have the moving averages of their weights.

    Args:
        folder: The run folder, `runs/<db>/<variant>/fold-NN`.
        checkpoint: "last", or "best": where R's accuracy on the validation part was highest, the
            earliest of equal ones. The test part is not used. Without any validation the last
            checkpoint is used, with a note.

    Returns:
        The `Run`, with `classify` and `synthesize`.

    Raises:
        BadUse: The folder is not a run, or it has no checkpoint yet.
        FailedWork: A checkpoint is damaged, or its widths differ from config.yaml.

    Example:
        >>> run = fesr_tf.open_run("runs/demo/FESR_JL/fold-00")
        >>> run.info.variant, run.config.image_size
        ('FESR_JL', 32)
    """
    folder = Path(folder)
    info = read_info(folder)
    config = configs.load(folder / files.CONFIG)
    model = build(config, len(info.classes))
    if checkpoint == BEST:
        step = Checkpoints(model, folder / BEST, 1).restore()
        if step is not None:
            model.use_averages()
            return Run(folder, info, config, model, step, BEST)
        print(
            f"note: {folder} has no validated checkpoint (no validation part, or no validation "
            "yet): the last one is used",
            file=sys.stderr,
        )
    step = Checkpoints(model, folder / files.CHECKPOINTS, config.keep_checkpoints).restore()
    if step is None:
        raise BadUse(f"{folder} has no checkpoint yet; train it first")
    model.use_averages()
    return Run(folder, info, config, model, step)


def add_checkpoint_option(parser: argparse.ArgumentParser) -> None:
    """`--checkpoint last|best`, for commands that open a run.

    The default is the last: the paper trains for a fixed number of iterations, and the few faces
    of a validation part choose the best one.
    """
    parser.add_argument(
        "--checkpoint",
        choices=(LAST, BEST),
        default=LAST,
        help="the last one, or where R was best on the validation part [%(default)s]",
    )


def load_data(run: Run, folder: str | Path | None = None) -> Fold:
    """The run's fold, from the data folder that it was trained on or its new place `folder`.

    Raises `BadUse` for a missing data folder, or one with other data than the run's.
    """
    folder = location(folder or run.info.data)
    if not folder.exists():
        raise BadUse(
            f"the data of {run.folder} are not at {folder}; give their folder by --data DIR"
        )
    manifest = manifests.load(folder)
    if manifest.digest != run.info.data_digest:
        before, now = run.info.classes, tuple(manifest.classes)
        classes = "" if before == now else f"; classes: {other_classes(before, now)}"
        raise BadUse(
            f"{folder} holds other data (digest {manifest.digest[:12]}) than {run.folder} was "
            f"trained on ({run.info.data_digest[:12]}{classes}); give the run's data by "
            "--data DIR, or train again"
        )
    return load_fold(folder, run.info.fold, run.config)


def load_others(run: Run, folder: Path) -> Faces:
    """Every image that another folder tests, at the run's size and channels.

    Raises `BadUse` where the folder is the run's own data or has other classes.
    """
    manifest = manifests.load(folder)
    if manifest.digest == run.info.data_digest:
        raise BadUse(f"{folder} holds the data that {run.folder} was trained on; give others")
    if (now := tuple(manifest.classes)) != run.info.classes:
        raise BadUse(
            f"{folder} has other classes than {run.folder}: "
            f"{other_classes(run.info.classes, now)}; preprocess it with the same"
        )
    return load_tested(folder, run.config)


def require_recognizer(run: Run) -> None:
    """Raises `BadUse` where the run's recogniser has not been trained."""
    config = run.config
    if not config.trains_recognizer:
        raise BadUse(
            f"{run.folder} is a run of {run.info.variant}, which trains FESGAN alone and has no "
            "trained recogniser; give a run of another variant"
        )
    if run.step <= config.pretrain_iterations:
        raise BadUse(
            f"{run.folder} is at iteration {run.step} and trains its recogniser only after "
            f"{config.pretrain_iterations}; run its training command again to resume"
        )
