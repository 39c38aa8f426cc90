"""TensorBoard's event files of a run that may be killed and go on."""

from __future__ import annotations

import time
from pathlib import Path

import tensorflow as tf

from pipelines.errors import FailedWork

PREFIX = "events.out.tfevents."
Event = tf.compat.v1.Event


def open_writer(folder: Path, begun: int | None) -> tf.summary.SummaryWriter:
    """The writer of a run's events in `folder`.

    `begun` is the iteration that the run goes on from; None begins it anew, and removes what
    an earlier beginning left. What was written after `begun` by the process that was stopped
    is declared void, so that no curve has two lines. Raises `FailedWork` where `folder`
    cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if begun is None:
            for path in folder.iterdir():
                if path.is_file():
                    path.unlink()
        else:
            _purge_after(folder, begun)
        return tf.summary.create_file_writer(str(folder))
    except (OSError, tf.errors.OpError):
        raise FailedWork(
            f"cannot write into {folder}: make it writable, or give another --runs"
        ) from None


def _purge_after(folder: Path, begun: int) -> None:
    """Tells every reader of event files to forget the steps after `begun`.

    TensorBoard's own sign for it is a START of the session at the first step that is void. The
    summary writer of TensorFlow 2 cannot write one, so it stands in a file of its own. Files
    are read in the order of their names: it comes after all that is there and before the next.
    """
    while True:
        now = int(time.time())
        if not list(folder.glob(f"{PREFIX}{now:010d}*")):
            break
        time.sleep(0.1)
    session = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
    # "-" sorts before the "." that follows the second in the names that TensorFlow gives.
    with tf.io.TFRecordWriter(str(folder / f"{PREFIX}{now:010d}-goes-on")) as file:
        for event in (
            Event(wall_time=now, file_version="brain.Event:2"),
            Event(wall_time=now, step=begun + 1, session_log=session),
        ):
            file.write(event.SerializeToString())
