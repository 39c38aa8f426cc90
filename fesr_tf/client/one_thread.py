"""A SavedModel in a session of its own with one thread, for requests of a single face.

A small network answers one face sooner on one thread than on several: to share such small
operations costs more than it saves. TensorFlow has one pool of threads for a process, which the
application's own work may need; a session has its own where `own_pools` came first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

# Of the variables. The full-size model has 60 MB and is faster on several threads.
_SMALL = 2**24


def own_pools() -> None:
    """Lets sessions have thread pools of their own; without effect once TensorFlow has run."""
    os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1")


def is_small(folder: Path) -> bool:
    """Whether the SavedModel in the folder is faster on one thread."""
    return sum(path.stat().st_size for path in folder.glob("variables/*")) <= _SMALL


class OneThread:
    """The SavedModel in a folder, loaded. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        v1 = tf.compat.v1
        options = v1.ConfigProto(
            intra_op_parallelism_threads=1,
            inter_op_parallelism_threads=1,
            use_per_session_threads=True,
            # The other copy of the model may use the accelerator.
            device_count={"GPU": 0},
        )
        graph, verbosity = tf.Graph(), v1.logging.get_verbosity()
        self._session = v1.Session(graph=graph, config=options)
        v1.logging.set_verbosity(v1.logging.ERROR)
        try:
            with graph.as_default():
                meta = v1.saved_model.load(self._session, ["serve"], str(folder))
        finally:
            v1.logging.set_verbosity(verbosity)
        self._signatures = meta.signature_def

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs one signature. Raises TensorFlow's `OpError`."""
        own = self._signatures[signature]
        outputs = {name: tensor.name for name, tensor in own.outputs.items()}
        feeds = {own.inputs[name].name: array for name, array in inputs.items()}
        return self._session.run(outputs, feeds)

    def close(self) -> None:
        """Releases the session."""
        self._session.close()
