"""TensorBoard's event files of a run that may be killed and go on."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from pipelines.common.errors import FailedWork
from pipelines.common.files import write_whole
from pipelines.dataset.examples import framed

PREFIX = "events.out.tfevents."


def open_writer(folder: Path, begun: int | None) -> tf.summary.SummaryWriter:
    """The writer of a run's events in `folder`.

    `begun` is the iteration that the run goes on from; None begins it anew, and removes what
    an earlier beginning left. What was written after `begun` by the process that was stopped
    is removed, so that no curve has two lines. Raises `FailedWork` where `folder` cannot be
    written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            # Hidden files are those that a killed process did not finish.
            if path.is_file() and (begun is None or path.name.startswith(".")):
                path.unlink()
        if begun is not None:
            forget_after(folder, begun)
        return tf.summary.create_file_writer(str(folder))
    except (OSError, tf.errors.OpError):
        raise FailedWork(
            f"cannot write into {folder}: make room or make it writable, or give another --runs "
            "folder"
        ) from None


def forget_after(folder: Path, step: int) -> None:
    """Removes the events of later steps than `step` from the event files in `folder`, and
    what a kill left unfinished at a file's end.

    TensorBoard has a sign for "void from here on", but only its own server heeds it, and the
    writer of TensorFlow 2 cannot give it: other readers would see two values at a step.
    """
    for path in sorted(folder.glob(f"{PREFIX}*")):
        kept, whole = [], True
        try:
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                if tf.compat.v1.Event.FromString(record).step <= step:
                    kept.append(record)
                else:
                    whole = False
        except tf.errors.DataLossError:
            whole = False
        if not whole:
            write_whole(path, b"".join(map(framed, kept)))
