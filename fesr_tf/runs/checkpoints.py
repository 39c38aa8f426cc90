"""What a resumed run needs: every network, every optimizer and the iteration, in one folder.

`weights.*` is TensorFlow's checkpoint (networks, optimizers, the iteration), `config.yaml` the
run's configuration, `checkpoint.json` describes it: step, stage, what comes next, digests.

A checkpoint is written beside its place and takes its name in one rename: whoever sees the name
sees all of it. Draws and batches are pure functions of the seed and the iteration
(`fesr_tf.model.expression_codes.draw`, `fesr_tf.data.batches`), so there is no other random
state to keep.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

import tensorflow as tf

from fesr_tf import config as configs
from fesr_tf.model.fesr import FESR
from fesr_tf.runs import files
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import folder_whole, sha256_of, write_whole

# What TensorFlow's reader raises for a file that is cut, changed or missing.
DAMAGED = (tf.errors.OpError, OSError, ValueError, IndexError, RuntimeError, AssertionError)


class Checkpoints:
    """The checkpoints of one run, `<folder>/step-<t>`; the newest `keep` are kept.

    `images` (in the training part) and `data_digest` only describe a checkpoint.
    """

    def __init__(
        self, model: FESR, folder: Path, keep: int, images: int = 0, data_digest: str = ""
    ):
        self.model = model
        self.folder = folder
        self.keep = keep
        self.images = images
        self.data_digest = data_digest
        # Without a save counter: equal states are equal files.
        self.checkpoint = tf.train.Checkpoint(model=model)
        self.present: int | None = None  # the step whose state is known to be on the disk

    def steps(self) -> list[int]:
        """The steps that there is a checkpoint of, ascending."""
        return files.steps(self.folder)

    def path(self, step: int) -> Path:
        """Where the checkpoint of `step` is, or would be."""
        return files.step_folder(self.folder, step)

    def save(self, **more: object) -> Path:
        """Writes the present state, unless it is written already; `more` goes into its
        checkpoint.json. Returns its folder.

        Raises `FailedWork` where it cannot be written, and for weights or optimizer state that
        are not finite: whatever was saved before stays as it was.
        """
        step = int(self.model.fesgan.step.numpy())
        path = self.path(step)
        if step == self.present:
            return path
        self._refuse_non_finite(step)
        try:
            with folder_whole(path) as place:
                self.checkpoint.write(str(place / files.WEIGHTS))
                self.model.config.save(place / files.CONFIG)
                about = description(self.model, self.images, self.data_digest) | more
                about["config_sha256"] = sha256_of(place / files.CONFIG)
                write_whole(place / files.CHECKPOINT_INFO, json.dumps(about, indent=2) + "\n")
                # The name must not reach the disk before what it names.
                for each in place.glob(f"{files.WEIGHTS}.*"):
                    _flush(each)
            _flush(self.folder)
        except (tf.errors.OpError, OSError) as error:
            raise FailedWork(
                f"cannot write the checkpoint of step {step} to {self.folder} ({_why(error)}); the "
                "one before it stays good: make room and run the same command again"
            ) from None
        self.present = step
        self._forget(self.steps()[: -self.keep])
        return path

    def restore(self, fall_back: bool = False) -> int | None:
        """Loads the newest checkpoint whole. Returns its step, None where there is none.

        fall_back: an older one is taken, with a note, where the newest is damaged. Raises
        `FailedWork` where no checkpoint can be read, or one has other networks, and `BadUse`
        where it was written under another configuration.
        """
        steps = self.steps()
        if not steps and any(self.folder.glob("step-*.index")):
            raise FailedWork(
                f"{self.folder} holds checkpoints of an earlier version of this project: finish "
                "that run with it, or start a new run"
            )
        for step in reversed(steps):
            path = self.path(step)
            try:
                self._read(path)
            except FailedWork as damaged:
                if not path.exists() and self.steps() != steps:
                    return self.restore(fall_back)  # a running training has moved on meanwhile
                if not fall_back or step == steps[0]:
                    raise
                print(f"note: {damaged}; an older one is taken", file=sys.stderr, flush=True)
                continue
            self.present = step
            return step
        return None

    def about(self) -> dict:
        """checkpoint.json of the newest checkpoint; empty where there is none or it is damaged."""
        with contextlib.suppress(IndexError, OSError, ValueError):
            return json.loads(
                (self.path(self.steps()[-1]) / files.CHECKPOINT_INFO).read_text(encoding="utf-8")
            )
        return {}

    def elsewhere(self) -> str | None:
        """A sentence where the newest checkpoint was written by another TensorFlow or on another
        number of cores, whose sums come out in another order; None where it was not."""
        before, now = self.about(), _machine()
        if not before or all(before.get(key) == value for key, value in now.items()):
            return None
        return (
            f"the checkpoint was written on {before.get('cores')} cores with TensorFlow "
            f"{before.get('tensorflow')}, and this is {now['cores']} cores with "
            f"{now['tensorflow']}: the run goes on as well as before, but not to the last bit as "
            "it would have there"
        )

    def sweep(self) -> None:
        """Removes what killed processes left half written or half removed. For the process that
        trains the run alone: it would remove what another one is writing."""
        for left in self.folder.glob(".step-*"):
            shutil.rmtree(left, ignore_errors=True)

    def _read(self, path: Path) -> None:
        try:
            before = configs.load(path / files.CONFIG)
        except BadUse as error:
            raise _damaged(path, error) from None
        changed = configs.differences(before, self.model.config)
        if changed:
            keys = "; ".join(f"{key} was {old}, now {new}" for key, (old, new) in changed.items())
            raise BadUse(f"{path} does not fit: it was written with other settings ({keys})")
        self.read(path)

    def read(self, path: Path) -> None:
        """Loads the weights, optimizers and step in `path`, whatever its settings are.

        Raises `FailedWork` where it is damaged or of other networks.
        """
        try:
            self.checkpoint.read(str(path / files.WEIGHTS)).assert_consumed()
        except DAMAGED as error:
            # It would go on to list what it did not restore.
            tf.get_logger().setLevel("ERROR")
            raise _damaged(path, error) from None

    def _refuse_non_finite(self, step: int) -> None:
        for variable in self.model.variables + _slots(self.model):
            if variable.dtype.is_floating and not tf.reduce_all(tf.math.is_finite(variable)):
                raise FailedWork(
                    f"{variable.name} of the networks or their optimizers is not finite at step "
                    f"{step}: nothing is saved and the checkpoint before it stays good; lower "
                    "learning_rate, and run the same command again"
                )

    def _forget(self, steps: list[int]) -> None:
        for step in steps:
            if step != self.present:
                # Renamed first: half a checkpoint never carries a checkpoint's name.
                gone = self.folder / f".{self.path(step).name}.gone"
                shutil.rmtree(gone, ignore_errors=True)
                os.replace(self.path(step), gone)
                shutil.rmtree(gone, ignore_errors=True)


def description(model: FESR, images: int, data_digest: str) -> dict[str, object]:
    """What a checkpoint of the model's present state says of itself, ready for JSON.

    `images` training images make an epoch of `images // batch_size` batches; epoch and batch
    count from 0.
    """
    settings, step = model.config, int(model.fesgan.step.numpy())
    epoch, batch = divmod(step, max(1, images // settings.batch_size))
    return {
        "step": step,
        "stage": stage_of(settings, step),
        "next": {"stage": stage_of(settings, step + 1), "epoch": epoch, "batch": batch},
        "random_state": "none: every draw and every batch is a function of the seed and the step",
        "seed": settings.seed,
        "data_digest": data_digest,
        **_machine(),
    }


def stage_of(settings: configs.Config, step: int) -> str:
    """The stage that iteration `step`, from 1, belongs to: FESGAN, FESR, or none."""
    last = settings.max_iterations if settings.trains_recognizer else settings.pretrain_iterations
    if not 1 <= step <= last:
        return "none"
    first = settings.trains_fesgan and step <= settings.pretrain_iterations
    return "FESGAN" if first else "FESR"


def _machine() -> dict[str, object]:
    """What the last bit of a sum depends on, beside the weights."""
    # As TensorFlow counts them: those that this process may use, where the system can tell.
    counted = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    return {"cores": len(counted(0)), "tensorflow": tf.__version__}


def _slots(model: FESR) -> list[tf.Variable]:
    """The state of the four optimizers."""
    gan = model.fesgan
    optimizers = (
        gan.generator_optimizer,
        gan.image_critic_optimizer,
        gan.code_critic_optimizer,
        model.recognizer_optimizer,
    )
    return [variable for optimizer in optimizers for variable in optimizer.variables]


def _damaged(path: Path, error: Exception) -> FailedWork:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return FailedWork(
        f"the checkpoint {path} does not fit the run's configuration or is damaged "
        f"({reason[:200]}); restore the files it was written with, or start a new run"
    )


def _why(error: tf.errors.OpError | OSError) -> str:
    """The system's own words, without the operation, device and file that surround them."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return error.message.splitlines()[0].split("; ")[-1].partition(" [Op:")[0]


def _flush(path: Path) -> None:
    """Waits until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
