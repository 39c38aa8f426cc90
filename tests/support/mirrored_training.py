"""`python mirrored_training.py DEVICES ARGUMENT…`: fesr_tf.train mirrored over logical CPUs.

Not a test: a process of its own, because TensorFlow's devices are fixed when it starts. Logical
CPUs stand for the GPUs that `strategy=mirrored` takes.
"""

from __future__ import annotations

import functools
import sys

from fesr_tf import train  # before TensorFlow: it chooses Keras 2

# isort: split
import tensorflow as tf


def main(devices: int, arguments: list[str]) -> int:
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, parts)
    names = [f"CPU:{index}" for index in range(devices)]
    tf.distribute.MirroredStrategy = functools.partial(tf.distribute.MirroredStrategy, names)
    return train.main([*arguments, "strategy=mirrored"])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
