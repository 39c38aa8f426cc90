"""A small real FESR, its batch, and its weights as numpy arrays: shared by the goldens."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from fesr_tf import config
from fesr_tf.model import fesr
from fesr_tf.networks.face_networks import load_face_network
from tests.support.paper_in_numpy import DemoFaceNetwork, Weights

CLASSES, SIZE = 4, 64  # 64 is the demo face network's own size: nothing is resized


def build(*overrides: str) -> fesr.FESR:
    """FESR_JL at a sixteenth of the width, its face network drawn at random."""
    settings = config.resolve("demo", overrides=[f"image_size={SIZE}", "width=0.0625", *overrides])
    return fesr.build(settings, CLASSES, load_face_network("light_cnn_demo", random_seed=0))


def batch(size: int = 3, channels: int = 1) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """(image, positive, label); values on a grid, so that float32 and float64 agree on them."""
    random = np.random.default_rng(4)
    faces = random.integers(-128, 129, (2, size, SIZE, SIZE, channels)) / 128
    label = random.integers(0, CLASSES, size)
    return (
        tf.constant(faces[0], tf.float32),
        tf.constant(faces[1], tf.float32),
        tf.constant(label, tf.int32),
    )


def flat_weights(layers: Iterable[keras.layers.Layer]) -> Weights:
    """Kernel and bias of each layer, float64, in the order given."""
    return [
        variable.numpy().astype(np.float64)
        for layer in layers
        for variable in (layer.kernel, layer.bias)
    ]


def weights_of(model: fesr.FESR) -> dict[str, Weights]:
    """Every trained network's weights in the order of Tables I and II."""
    gan, recognizer = model.fesgan, model.recognizer
    critic = gan.image_critic
    return {
        "G_enc": flat_weights([*gan.encoder.convolutions, gan.encoder.code]),
        "G_dec": flat_weights([*gan.decoder.deconvolutions, gan.decoder.to_image]),
        "D_img": flat_weights(
            [*critic.trunk, critic.adversarial, critic.class_hidden, critic.class_logits]
        ),
        "D_z": flat_weights([*gan.code_critic.hidden, gan.code_critic.logit]),
        "R": flat_weights([*recognizer.convolutions, *recognizer.dense, recognizer.logits]),
    }


def face_network_of(model: fesr.FESR) -> DemoFaceNetwork:
    layers = model.face_network.network.layers_by_name
    return DemoFaceNetwork({name: tuple(flat_weights([layer])) for name, layer in layers.items()})
