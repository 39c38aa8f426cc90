"""Checkpoints: every network, every optimizer and the iteration, in one folder.

`weights.*` is TensorFlow's checkpoint (networks, optimizers, the iteration), `config.yaml` the
run's configuration; `checkpoint.json` holds the step, the stage, the next step and digests.

A checkpoint is written to a temporary folder and renamed when complete. Random numbers and batches
are pure functions of the seed and the iteration (`fesr_tf.model.expression_codes.draw`,
`fesr_tf.data.batches`), so there is no other random state to save.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import tensorflow as tf

from fesr_tf import config as configs
from fesr_tf.model.fesr import FESR
from fesr_tf.runs import files
from pipelines.common.cores import available_cores
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import folder_whole, sha256_of, write_whole

# Errors of TensorFlow's reader for a truncated, changed or missing file.
DAMAGED = (tf.errors.OpError, OSError, ValueError, IndexError, RuntimeError, AssertionError)


class Checkpoints:
    """The checkpoints of one run, `<folder>/step-<t>`; the newest `keep` are kept.

    `images` (of the training part) and `data_digest` are only recorded in a checkpoint.
    """

    def __init__(
        self, model: FESR, folder: Path, keep: int, images: int = 0, data_digest: str = ""
    ):
        self.model = model
        self.folder = folder
        self.keep = keep
        self.images = images
        self.data_digest = data_digest
        # No save counter: equal states give equal files.
        self.checkpoint = tf.train.Checkpoint(model=model)
        self.present: int | None = None  # the step whose state is on the disk

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, ascending."""
        return files.steps(self.folder)

    def path(self, step: int) -> Path:
        """The folder of the checkpoint of `step`, existing or not."""
        return files.step_folder(self.folder, step)

    def save(self, **more: object) -> Path:
        """Writes the present state unless it is already written, with `more` in checkpoint.json.

        Returns its folder. Raises `FailedWork` where it cannot be written, and for weights or
        optimizer state that are not finite; earlier checkpoints remain.
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
                # The contents must reach the disk before the name does.
                for weights in place.glob(f"{files.WEIGHTS}.*"):
                    _flush(weights)
            _flush(self.folder)
        except (tf.errors.OpError, OSError) as error:
            earlier = (
                "the one before it remains valid: free some space and run the same command again"
                if self.steps()
                else "it is the first, so nothing is saved yet: free some space, or choose another "
                "--runs folder, and train again"
            )
            raise FailedWork(
                f"cannot write the checkpoint of step {step} to {self.folder} ({_why(error)}); "
                f"{earlier}"
            ) from None
        self.present = step
        self._remove(self.steps()[: -self.keep])
        return path

    def restore(self, fall_back: bool = False) -> int | None:
        """Loads the newest checkpoint. Returns its step, None where there is none.

        fall_back: if the newest is damaged, loads an older one, with a note. Raises `FailedWork`
        where no checkpoint can be read or one has other networks, and `BadUse` where it was
        written with another configuration.
        """
        steps = self.steps()
        if not steps and any(self.folder.glob("step-*.index")):
            raise FailedWork(
                f"{self.folder} holds checkpoints of an earlier version of this project: finish "
                "the run with that version, or start a new run"
            )
        for step in reversed(steps):
            path = self.path(step)
            try:
                self._read(path)
            except FailedWork as damaged:
                if not path.exists() and self.steps() != steps:
                    return self.restore(fall_back)  # a training has replaced it meanwhile
                if not fall_back or step == steps[0]:
                    raise
                print(f"note: {damaged}; an older one is used instead", file=sys.stderr, flush=True)
                continue
            self.present = step
            return step
        return None

    def about(self) -> dict:
        """checkpoint.json of the newest checkpoint; empty if it is missing or damaged."""
        return files.checkpoint_info(self.folder)

    def elsewhere(self) -> str | None:
        """A note if the newest checkpoint was written by another TensorFlow or on another number
        of cores, which sum in another order; else None."""
        before, now = self.about(), _machine()
        if not before or all(before.get(key) == value for key, value in now.items()):
            return None
        return (
            f"the checkpoint was written on {before.get('cores')} cores with TensorFlow "
            f"{before.get('tensorflow')}, here there are {now['cores']} cores and "
            f"{now['tensorflow']}: the results will be as good, but not bit-identical"
        )

    def sweep(self) -> None:
        """Removes incomplete checkpoints that killed processes left. Only the process that trains
        the run may call it: it would remove a checkpoint that another one is writing."""
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
            raise BadUse(f"{path} was written with other settings ({keys}); resume with those")
        self.read(path)

    def read(self, path: Path) -> None:
        """Loads the weights, optimizers and step in `path` without comparing settings.

        Raises `FailedWork` where it is damaged or has other networks.
        """
        try:
            self.checkpoint.read(str(path / files.WEIGHTS)).assert_consumed()
        except DAMAGED as error:
            # TensorFlow would list every object that it did not restore.
            tf.get_logger().setLevel("ERROR")
            raise _damaged(path, error) from None

    def _refuse_non_finite(self, step: int) -> None:
        for variable in saved_variables(self.model):
            if variable.dtype.is_floating and not tf.reduce_all(tf.math.is_finite(variable)):
                raise FailedWork(
                    f"{variable.name} of the networks or their optimizers is not finite at step "
                    f"{step}: this state is not saved and the checkpoint before it remains valid; "
                    "lower learning_rate, and run the same command again"
                )

    def _remove(self, steps: list[int]) -> None:
        for step in steps:
            if step != self.present:
                # Renamed first, so that an incomplete checkpoint never has a checkpoint's name.
                gone = self.folder / f".{self.path(step).name}.gone"
                shutil.rmtree(gone, ignore_errors=True)
                os.replace(self.path(step), gone)
                shutil.rmtree(gone, ignore_errors=True)


def description(model: FESR, images: int, data_digest: str) -> dict[str, object]:
    """checkpoint.json of the model's present state.

    An epoch has `images // batch_size` batches; epoch and batch count from 0.
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
    """The properties of the machine on which the last bit of a sum depends."""
    return {"cores": len(available_cores()), "tensorflow": tf.__version__}


def saved_variables(model: FESR) -> list[tf.Variable]:
    """Every variable of a checkpoint: those of the model and of its optimizers."""
    return model.variables + [v for each in model.optimizers for v in each.variables]


def _damaged(path: Path, error: Exception) -> FailedWork:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return FailedWork(
        f"the checkpoint {path} does not fit the run's configuration or is damaged "
        f"({reason[:200]}); restore its files from a copy, or start a new run"
    )


def _why(error: tf.errors.OpError | OSError) -> str:
    """The system's message without the operation, device and file."""
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
