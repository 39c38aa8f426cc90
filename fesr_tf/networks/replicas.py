"""Random values and means of one step on several devices.

Outside of a `tf.distribute` strategy, and with one device, these functions change nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def count() -> int:
    """The number of devices that share this step; 1 outside of a step, where callbacks work with
    the mirrored weights on one device."""
    if tf.distribute.in_cross_replica_context():
        return 1
    return tf.distribute.get_strategy().num_replicas_in_sync


def own_rows(make: Callable[[tf.Tensor], tf.Tensor], batch: tf.Tensor) -> tf.Tensor:
    """This device's rows of `make(n)`: n counts the rows of all devices, `batch` those of this one.

    Random values are generated for the whole batch, so that a step is the same on any number of
    devices.
    """
    if count() == 1:
        return make(batch)
    first = tf.distribute.get_replica_context().replica_id_in_sync_group * batch
    return make(batch * count())[first : first + batch]


def mean(values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The means over all devices of batch means; every device has equally many rows."""
    if count() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)
