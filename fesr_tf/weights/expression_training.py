"""Trains a Light CNN's trunk, with the recogniser R on it, to tell expressions of real faces.

R has two heads: the challenge's labels and the votes of FER+, which agree on two thirds of the
images.
"""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras
from tqdm import tqdm

from fesr_tf.config import Config
from fesr_tf.data.augmentation import augment
from fesr_tf.data.images import to_size
from fesr_tf.networks.blocks import dense
from fesr_tf.networks.face_networks import FaceNetwork
from fesr_tf.networks.light_cnn import LightCNN, LightCNNSpec
from fesr_tf.networks.recognizer import Recognizer
from fesr_tf.weights.batch_norm import DTYPE, BatchNormLightCNN
from fesr_tf.weights.epochs import batches
from fesr_tf.weights.expression_faces import LabelledFaces
from pipelines.common.errors import FailedWork
from pipelines.common.files import write_whole
from pipelines.databases.fer2013 import CLASSES

LEARNING_RATE = 2e-3
WARM_UP = 0.05  # of a cycle's steps
WEIGHT_DECAY = 0.02
CLIP = 5.0
AVERAGED = 0.999
SMOOTHING = 0.1
MAP_DROPOUT, DROPOUT = 0.15, 0.3
SETTLING = 200  # batches


class Cycles(keras.optimizers.schedules.LearningRateSchedule):
    """Cosine decay from a warm-up to 0, again and again (SGDR, Loshchilov and Hutter 2017).

    The first cycle peaks at `LEARNING_RATE`, each later one at half the peak before it.
    """

    def __init__(self, steps: int) -> None:
        warm_up = int(WARM_UP * steps)
        self.steps = steps
        self.decay = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warm_up, warmup_target=LEARNING_RATE, warmup_steps=warm_up
        )

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        cycle = tf.cast(step // self.steps, tf.float32)
        return 0.5**cycle * self.decay(step % self.steps)

    def get_config(self) -> dict[str, int]:
        return {"steps": self.steps}


class ExpressionNetwork:
    """A trunk, R's own layers on it, and the second head, for the labels.

    The trunk trains too, unless a trained network is given.
    """

    def __init__(
        self, spec: LightCNNSpec, config: Config, seed: int, frozen: LightCNN | None = None
    ) -> None:
        keras.utils.set_random_seed(seed)
        self.trunk = frozen or BatchNormLightCNN(spec, seed=seed)
        self.recognizer = Recognizer(config, len(CLASSES), FaceNetwork(self.trunk))
        self.label_head = dense(len(CLASSES))
        features = self.recognizer.extract(self.trunk.trunk(tf.zeros((1, spec.size, spec.size, 1))))
        self.recognizer.classify(features), self.label_head(features)

    @property
    def variables(self) -> list[tf.Variable]:
        """What is trained."""
        trunk = self.trunk.trunk_variables if self.normalised else []
        return [
            *trunk, *self.recognizer.trained_variables, *self.label_head.trainable_variables
        ]  # fmt: skip

    @property
    def normalised(self) -> bool:
        """Whether the trunk is in training, with batch normalisation."""
        return isinstance(self.trunk, BatchNormLightCNN)

    def logits(
        self, image01: tf.Tensor, seed: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits (B,7) for the labels and for the votes; with dropout where `seed` is given."""
        drop = tf.nn.experimental.stateless_dropout
        seeds = None if seed is None else tf.random.experimental.stateless_split(seed, 2)
        hidden = tf.cast(self.trunk.trunk(tf.cast(image01, DTYPE)), tf.float32)
        hidden = hidden if seeds is None else drop(hidden, MAP_DROPOUT, seeds[0])
        features = self.recognizer.extract(hidden)
        features = features if seeds is None else drop(features, DROPOUT, seeds[1])
        return self.label_head(features), self.recognizer.classify(features)

    def pack_recognizer(self) -> bytes:
        """R's own layers and the second head as an `.npz` file's bytes, `<layer>.kernel` and
        `<layer>.bias`."""
        r = self.recognizer
        layers = dict(
            zip(("conv1", "conv2", "fc1", "fc2"), [*r.convolutions, *r.dense], strict=True)
        )
        layers |= {"votes": r.logits, "labels": self.label_head}
        buffer = io.BytesIO()
        np.savez(buffer, **{
            f"{name}.{part}": getattr(layer, part).numpy()
            for name, layer in layers.items()
            for part in ("kernel", "bias")
        })  # fmt: skip
        return buffer.getvalue()


def train(
    network: ExpressionNetwork,
    faces: LabelledFaces,
    epochs: int,
    batch_size: int,
    seed: int,
    folder: Path,
    cycles: int = 1,
) -> float:
    """Trains `network` on `faces`; its weights are then the mean over the last steps.

    Adam with decoupled weight decay, and the rate of `Cycles`, each of `epochs` / `cycles` epochs
    (`epochs` is a multiple of `cycles`). Every epoch ends with a checkpoint
    in `folder`, from which an interrupted training resumes to the same weights. Prints one line
    an epoch. Returns the seconds that the epochs took in all. Raises `FailedWork` if the loss
    becomes infinite or NaN.
    """
    batch_size = min(batch_size, len(faces))
    rate = Cycles(epochs // cycles * (len(faces) // batch_size))
    optimizer = keras.optimizers.AdamW(
        rate, WEIGHT_DECAY, global_clipnorm=CLIP, use_ema=True, ema_momentum=AVERAGED
    )
    variables, size = network.variables, network.trunk.spec.size
    optimizer.exclude_from_weight_decay([each for each in variables if len(each.shape) == 1])
    optimizer.build(variables)
    done = tf.Variable(0, trainable=False, dtype=tf.int64)
    statistics = network.trunk.statistics if network.normalised else []
    state = tf.train.Checkpoint(optimizer=optimizer, variables=[*variables, *statistics], done=done)
    manager = tf.train.CheckpointManager(state, str(folder), max_to_keep=1)
    if manager.latest_checkpoint:
        state.restore(manager.latest_checkpoint).assert_consumed()
        print(f"resumes after epoch {int(done)}", flush=True)

    # AutoGraph would spend a minute rewriting tf_keras.
    @tf.function(autograph=False)
    def step(images: tf.Tensor, labels: tf.Tensor, votes: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        seeds = tf.random.experimental.stateless_split(tf.stack([seed, index]), 2)
        image01 = augment(images, size, seeds[0])
        with tf.GradientTape() as tape:
            on_labels, on_votes = network.logits(image01, seeds[1])
            smooth = labels * (1 - SMOOTHING) + SMOOTHING / len(CLASSES)
            losses = [
                tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(smooth, on_labels)),
                # The votes for other classes have no share: their sum is a weight.
                -tf.reduce_mean(tf.reduce_sum(votes * tf.nn.log_softmax(on_votes), 1)),
            ]
            loss = tf.add_n(losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        right = [
            tf.reduce_mean(tf.cast(tf.argmax(a, 1) == tf.argmax(b, 1), tf.float32))
            for a, b in ((labels, on_labels), (votes, on_votes))
        ]
        return tf.stack([*losses, *right])

    if network.normalised:
        network.trunk.normalising = True
    start, first = time.monotonic(), int(done)
    spent = folder / "seconds"
    before = float(spent.read_text()) if spent.is_file() else 0.0
    for epoch in range(first, epochs):
        rows = list(batches(len(faces), batch_size, seed, epoch))
        scores = []
        for index, row in enumerate(tqdm(rows, unit="step", leave=False, disable=None)):
            batch = faces.rows(row)
            number = tf.constant(epoch * len(rows) + index, tf.int32)
            scores.append(step(batch.images, batch.labels, batch.votes[:, : len(CLASSES)], number))
        means = np.mean(scores, axis=0)
        if not np.isfinite(means).all():
            raise FailedWork(f"the training diverged in epoch {epoch + 1}; try another --seed")
        done.assign(epoch + 1)
        manager.save()
        total = time.monotonic() - start
        write_whole(spent, f"{before + total:.0f}\n")
        seconds = total / (epoch + 1 - first)
        print(
            f"epoch {epoch + 1}/{epochs}: loss {means[0]:.3f} on labels, {means[1]:.3f} on votes, "
            f"accuracy {means[2]:.1%} and {means[3]:.1%}, {seconds:.0f} s an epoch, "
            f"{seconds * (epochs - epoch - 1):.0f} s left",
            flush=True,
        )
    optimizer.finalize_variable_values(variables)
    if network.normalised:
        _settle(network.trunk, faces.images, (batch_size, seed, epochs))
        network.trunk.normalising = False
    return float(spent.read_text())


def _settle(trunk: BatchNormLightCNN, images: np.ndarray, order: tuple[int, int, int]) -> None:
    """Gives the trunk's mean weights moving statistics of their own: those of the last weights
    differ. `order` is the batch size, the seed and the number of epochs."""
    batch_size, seed, epochs = order

    @tf.function(autograph=False)
    def run(batch: tf.Tensor, index: tf.Tensor) -> None:
        trunk.trunk(tf.cast(augment(batch, trunk.spec.size, tf.stack([seed, index])), DTYPE))

    rows = np.random.default_rng((seed, epochs)).integers(len(images), size=(SETTLING, batch_size))
    for index, row in enumerate(rows):
        trunk.rate.assign(1 / (index + 1))
        run(images[row], tf.constant(index, tf.int32))


def measure(network: ExpressionNetwork, trunk: LightCNN, faces: LabelledFaces) -> dict[str, float]:
    """How often R's heads, on `trunk`, name the challenge's label and the majority of the votes.

    An image counts for the votes where their majority is one of the seven classes.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def run(images: tf.Tensor) -> tf.Tensor:
        image01 = tf.cast(to_size(images, trunk.spec.size, 1), tf.float32) / 255.0
        features = network.recognizer.extract(trunk.trunk(image01))
        heads = network.label_head(features), network.recognizer.classify(features)
        return tf.stack([tf.argmax(logits, 1) for logits in heads])

    parts = [run(faces.images[i : i + 128]).numpy() for i in range(0, len(faces), 128)]
    on_labels, on_votes = np.concatenate(parts, 1)
    majority = faces.majority
    counted = majority >= 0
    return {
        "images": len(faces),
        "by_label": float(np.mean(on_labels == faces.labels.argmax(1))),
        "images_with_majority": int(counted.sum()),
        "by_votes": float(np.mean((on_votes == majority)[counted])),
    }
