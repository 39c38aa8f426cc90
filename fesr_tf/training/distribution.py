"""One training over several devices and processes: its batches, and what its processes agree on.

With `strategy=multi_worker` every process (worker) runs the same command with its own TF_CONFIG and
takes its rows of every batch; TensorFlow adds up the gradients, so that all hold equal weights. The
chief, worker 0, alone writes. What one worker alone knows reaches the others by `from_chief` and
`any_worker`, which all of them must call in the same order.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator

import tensorflow as tf

from fesr_tf.config import Config
from fesr_tf.model import fesr
from fesr_tf.model.fesr import FESR
from fesr_tf.runs.checkpoints import saved_variables
from pipelines.common.errors import BadUse, FailedWork

TF_CONFIG = "TF_CONFIG"


def start(config: Config) -> tf.distribute.Strategy:
    """The strategy to build the model in; with `multi_worker`, after all workers have connected.

    It must precede every other use of TensorFlow. Raises `BadUse` for a TF_CONFIG that is missing
    or not valid, and `FailedWork` where the workers do not connect.
    """
    if config.strategy != "multi_worker":
        return fesr.strategy(config)
    _refuse(os.environ.get(TF_CONFIG, ""))
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise FailedWork(f"the workers of TF_CONFIG cannot connect: {why[:200]}") from None


def _refuse(text: str) -> None:
    try:
        cluster = json.loads(text)
        workers, task = cluster["cluster"]["worker"], cluster["task"]
        valid = isinstance(workers, list) and set(cluster["cluster"]) == {"worker"}
        valid &= task["type"] == "worker" and 0 <= int(task["index"]) < len(workers)
    except (ValueError, TypeError, KeyError):
        valid = False
    if not valid:
        raise BadUse(
            'strategy=multi_worker needs TF_CONFIG, as {"cluster": {"worker": ["host0:2222", '
            f'"host1:2222"]}}, "task": {{"type": "worker", "index": 0}}}}, not {text[:200]!r}; see '
            "docs/guide/training.md"
        )


def workers(strategy: tf.distribute.Strategy) -> int:
    """The number of processes that train together."""
    resolver = strategy.cluster_resolver
    return max(1, len(resolver.cluster_spec().as_dict().get("worker", ()))) if resolver else 1


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the run."""
    return workers(strategy) == 1 or strategy.cluster_resolver.task_id == 0


def share(batches: tf.data.Dataset, config: Config, strategy: tf.distribute.Strategy):
    """`fesr_tf.data.batches`, each divided among the devices of all processes, in order.

    Raises `BadUse` where the devices would get unequal numbers of rows.
    """
    devices, size = strategy.num_replicas_in_sync, config.batch_size
    if devices == 1:
        return batches
    if size % devices:
        raise BadUse(
            f"batch_size={size} cannot be divided evenly among {devices} devices; set a multiple "
            f"of {devices}"
        )

    def own(context: tf.distribute.InputContext) -> tf.data.Dataset:
        rows = size // context.num_input_pipelines
        begin = rows * context.input_pipeline_id

        def part(*batch):
            return tf.nest.map_structure(lambda values: values[begin : begin + rows], batch)

        mine = batches.map(part)
        alone = rows == size // devices  # one device in this process
        return (mine if alone else mine.rebatch(size // devices, drop_remainder=True)).prefetch(2)

    return strategy.distribute_datasets_from_function(own)


class Agreement:
    """Values that all workers of a strategy agree on. With one worker each is its own."""

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        self.alone = workers(strategy) == 1
        self.chief = is_chief(strategy)

        @tf.function(autograph=False)
        def add(value: tf.Tensor) -> tf.Tensor:
            def on_device() -> tf.Tensor:
                context = tf.distribute.get_replica_context()
                first = context.replica_id_in_sync_group % self._devices == 0
                mine = tf.where(first, value, tf.zeros_like(value))
                return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)

            return strategy.experimental_local_results(strategy.run(on_device))[0]

        self._add: Callable[[tf.Tensor], tf.Tensor] = add

    @property
    def _devices(self) -> int:
        """Devices of one worker."""
        return self.strategy.num_replicas_in_sync // workers(self.strategy)

    def total(self, value: int) -> int:
        """The sum of the workers' values."""
        return value if self.alone else int(self._add(tf.constant(value, tf.int64)))

    def from_chief(self, value: int) -> int:
        """The chief's value."""
        return self.total(value if self.chief else 0)

    def any_worker(self, value: bool) -> bool:
        """Whether any worker's value is true."""
        return self.total(int(value)) > 0

    def refuse_unequal(self, model: FESR) -> str:
        """The SHA-256 of every weight and optimizer state, which must be that of all workers.
        Raises `FailedWork` where it is not."""
        digest = weights_digest(model)
        number = int(digest[:8], 16)
        count = workers(self.strategy)
        if self.any_worker(self.total(number) != count * number):
            raise FailedWork(
                "the workers ended with unequal weights: a machine or its network is at fault; "
                "train again from an earlier checkpoint"
            )
        return digest


def weights_digest(model: FESR) -> str:
    """SHA-256 over all weights, optimizer states and the step, in hex."""
    digest = hashlib.sha256()
    for variable in saved_variables(model):
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def lost_workers(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Raises `FailedWork` where TensorFlow fails in the block as another worker has ended."""
    try:
        yield
    except tf.errors.OpError as error:
        if workers(strategy) == 1:
            raise
        raise FailedWork(
            f"another worker has ended or cannot be reached ({type(error).__name__}): start the "
            "same command again on all of them; they resume from the last checkpoint"
        ) from None
