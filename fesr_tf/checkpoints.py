"""What a resumed run needs: every network, every optimizer and the iteration, in one file."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from fesr_tf.fesr import FESR
from pipelines.errors import FailedWork


class Checkpoints:
    """The checkpoints of one run, `<folder>/step-<t>`; the last `keep` are kept.

    Random draws and batches are functions of the seed and the iteration, so weights,
    optimizers and the iteration are the whole state.
    """

    def __init__(self, model: FESR, folder: Path, keep: int):
        self.model = model
        self.folder = folder
        self.checkpoint = tf.train.Checkpoint(model=model)
        try:
            self.manager = tf.train.CheckpointManager(
                self.checkpoint, str(folder), max_to_keep=keep, checkpoint_name="step"
            )
        except UnicodeDecodeError:
            raise self._no_list() from None

    def save(self) -> Path:
        """Writes the present state, unless it is written already. Returns its path."""
        step = int(self.model.fesgan.step.numpy())
        latest = self.manager.latest_checkpoint
        if latest and latest.endswith(f"step-{step}"):
            return Path(latest)
        try:
            return Path(self.manager.save(checkpoint_number=step))
        except tf.errors.OpError as error:
            raise FailedWork(
                f"cannot write a checkpoint to {self.folder} ({error.message.splitlines()[0]}); "
                "the last one stays good: make room and start the command again"
            ) from None

    def _no_list(self) -> FailedWork:
        return FailedWork(
            f"{self.folder / 'checkpoint'}, which names the last checkpoint, is missing or "
            "damaged; restore it, or start a new run"
        )

    def restore(self) -> int | None:
        """Loads the last checkpoint whole. Returns its iteration, None where there is none.

        Raises `FailedWork` where the file is damaged, incomplete or of other networks.
        """
        latest = self.manager.latest_checkpoint
        if latest is None:
            if any(self.folder.glob("step-*")):
                raise self._no_list()
            return None
        try:
            self.checkpoint.restore(latest).assert_consumed()
        # TensorFlow's checkpoint reader turns some of its errors into Python's own.
        except (tf.errors.OpError, ValueError, AssertionError, IndexError, RuntimeError) as error:
            # It would go on to list what it did not restore.
            tf.get_logger().setLevel("ERROR")
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise FailedWork(
                f"the checkpoint {latest} does not fit the run's configuration or is damaged "
                f"({reason[:200]}); restore the files it was written with, or start a new run"
            ) from None
        return int(self.model.fesgan.step.numpy())
