"""`python mirrored_steps.py DEVICES OUTPUT`: steps of both stages on so many logical CPUs.

Not a test: a process of its own, because TensorFlow's devices are fixed when it starts. Writes
the weights (npz) and prints the losses that Keras reported.
"""

from __future__ import annotations

import json
import sys

import numpy as np

import fesr_tf  # noqa: F401  (before TensorFlow: it chooses Keras 2)

# isort: split
import tensorflow as tf
import tf_keras as keras

from fesr_tf import config, data
from fesr_tf.model import fesr
from fesr_tf.model.frozen_features import frozen_features
from fesr_tf.networks.face_networks import load_face_network

CLASSES = 4


def in_float64(*batch):
    return tf.nest.map_structure(
        lambda x: tf.cast(x, tf.float64) if x.dtype.is_floating else x, batch
    )


def main(devices: int, output: str) -> None:
    # Rounding would be another on two devices, and turn a unit that is 0 but for it.
    keras.backend.set_floatx("float64")
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    names = [f"CPU:{index}" for index in range(devices)]
    strategy = (
        tf.distribute.MirroredStrategy(names) if devices > 1 else tf.distribute.get_strategy()
    )
    settings = config.resolve(
        "demo", "FESR_JL", ["width=0.0625", "batch_size=4", "horizontal_flip=true"]
    )
    random = np.random.default_rng(3)
    text = np.array([str(index) for index in range(8)])
    faces = data.Faces(
        random.integers(0, 256, (8, 64, 64, 1), np.uint8),
        (np.arange(8) % CLASSES).astype(np.int32),
        text,
        text,
        np.ones(8, np.float32),
    )
    with strategy.scope():
        model = fesr.build(settings, CLASSES, load_face_network("light_cnn_demo", random_seed=0))
        gan = model.fesgan
        # Plain descent: Adam's first steps go by the sign of gradients that are rounding.
        for owner, name, variables in (
            (gan, "generator", gan.generator_variables),
            (gan, "image_critic", gan.image_critic.trainable_variables),
            (gan, "code_critic", gan.code_critic.trainable_variables),
            (model, "recognizer", model.recognizer.trained_variables),
        ):
            optimizer = keras.optimizers.SGD(0.01, jit_compile=False)
            optimizer.build(variables)
            setattr(owner, f"{name}_optimizer", optimizer)
    begin = [variable.numpy() for variable in model.trainable_variables]
    known = frozen_features(model.face_network, faces, settings, False)
    logs = {}
    for stage, frozen in ((gan, None), (model, known)):
        batches = data.batches(faces, settings, int(gan.step.numpy()), frozen).map(in_float64)
        logs |= stage.fit(batches, steps_per_epoch=2, verbose=0).history
    end = [variable.numpy() for variable in model.trainable_variables]
    np.savez(output, *[after - before for before, after in zip(begin, end, strict=True)])
    print(json.dumps({name: values[-1] for name, values in logs.items()}))
    assert int(gan.step.numpy()) == 4


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
