"""The implementations of a training step, one a process: `benchmarks.training.step` starts them.

    python -m benchmarks.training.step_worker MODE STAGE OVERRIDES…

answers `step` (seconds and losses), `ceiling` (multiply-adds a second of a matrix product),
`input` (seconds a batch of the input pipeline) and `memory` (the peak so far, bytes).
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fesr_tf import config
from fesr_tf.config import Config
from tests.support.workers import Questions, answer

CLASSES = 7
OWN = {
    "plain": ["passes=separate"],
    "optimised": ["passes=shared"],
    "bfloat16": ["passes=shared", "frozen_dtype=bfloat16"],
}
PORT = ("port", "port-bfloat16", "port-compiled")


def noise(settings: Config) -> tuple[np.ndarray, np.ndarray]:
    """Images and positives (2, B, S, S, c) in [-1, 1], and labels: noise takes as long as faces."""
    random, size = np.random.default_rng(0), settings.image_size
    shape = (2, settings.batch_size, size, size, settings.channels)
    label = np.arange(settings.batch_size, dtype=np.int32) % CLASSES
    return random.uniform(-1, 1, shape).astype(np.float32), label


def product_rate(multiply: Callable[[], Any]) -> float:
    """Multiply-adds a second of a product of two 2048 x 2048 matrices, the best of 5."""
    multiply()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        multiply()
        times.append(time.perf_counter() - began)
    return 2048**3 / min(times)


class TensorFlowStep:
    """This project: the step as `fit` runs it. `plain` also restores what the step consisted of
    before it was optimised: the library's operations and Keras' Adam."""

    def __init__(self, mode: str, settings: Config, stage: str):
        import tensorflow as tf

        from fesr_tf.model import fesr
        from fesr_tf.networks.face_networks import load_face_network
        from fesr_tf.training import memory

        self.tf, self.settings = tf, settings
        if mode == "plain":
            library_operations()
        else:
            memory.keep_freed_memory()
        network = load_face_network(settings.identity, random_seed=0)
        model = fesr.build(settings, CLASSES, network)
        (image, positive), label = noise(settings)
        batch: tuple = (image, positive, label)
        if mode == "plain":
            keras_adam(model)
        else:
            frozen = model.frozen
            maps = [frozen.trunk(tf.constant(each)) for each in (image, positive)]
            known = {"map": maps[0], "positive_map": maps[1]}
            batch += (known | {"identity": frozen.embed(batch[0], maps[0])},)
        target = model if stage == "joint" else model.fesgan
        self.function = target.make_train_function()
        self.batches = iter(tf.data.Dataset.from_tensors(batch).repeat())

    def losses(self) -> dict[str, float]:
        """Takes a step."""
        logs = {name: float(value) for name, value in self.function(self.batches).items()}
        # PyTorch's step has no collapse signals.
        return {name: value for name, value in logs.items() if "/" not in name}

    def ceiling(self) -> dict[str, float]:
        tf, found = self.tf, {}
        for dtype in (tf.float32, tf.bfloat16):
            matrix = tf.cast(tf.random.stateless_normal((2048, 2048), (0, 0)), dtype)
            multiply = tf.function(lambda a: tf.matmul(a, a)[0, 0], autograph=False)
            found[dtype.name] = product_rate(lambda: multiply(matrix).numpy())  # noqa: B023
        return found

    def input(self) -> float:
        """Seconds a batch of a fold of 1,296 faces, with cached features."""
        from fesr_tf import data
        from fesr_tf.model.frozen_features import FrozenFeatures

        tf, size = self.tf, self.settings.image_size
        random, count, runs = np.random.default_rng(0), 1296, 50
        shape = (count, size, size, self.settings.channels)
        label, text = np.arange(count, dtype=np.int32) % CLASSES, np.full(count, "")
        images = random.integers(0, 256, shape, np.uint8)
        faces = data.Faces(images, label, text, text, np.ones(count, np.float32))
        maps = tf.constant(np.ones((count, size // 8, size // 8, 192), np.float32))
        frozen = FrozenFeatures(maps, tf.zeros((count, 256)), count)
        batches = iter(data.batches(faces, self.settings, 0, frozen))
        for _ in range(5):
            next(batches)
        began = time.perf_counter()
        for _ in range(runs):
            next(batches)
        return (time.perf_counter() - began) / runs

    def device_memory(self) -> int | None:
        if not self.tf.config.list_physical_devices("GPU"):
            return None
        return self.tf.config.experimental.get_memory_info("GPU:0")["peak"]


def library_operations() -> None:
    """Restores TensorFlow's own gradients and convolutions in the Light CNN, G_enc and D_img."""
    import tensorflow as tf

    from fesr_tf.networks import blocks, light_cnn, max_feature_map

    def convolution(x: Any, kernel: Any, bias: Any) -> Any:
        return max_feature_map.mfm(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias))

    light_cnn.mfm_convolution = convolution
    del blocks.MatrixConv.convolution_op


def keras_adam(model: Any) -> None:
    """Restores Keras' Adam."""
    import tf_keras as keras

    gan, settings = model.fesgan, model.config
    for owner, name, variables in (
        (gan, "generator", gan.generator_variables),
        (gan, "image_critic", gan.image_critic.trainable_variables),
        (gan, "code_critic", gan.code_critic.trainable_variables),
        (model, "recognizer", model.recognizer.trained_variables),
    ):
        adam = keras.optimizers.Adam(
            settings.learning_rate, settings.beta1, settings.beta2, epsilon=1e-8, jit_compile=False
        )
        adam.build(variables)
        setattr(owner, f"{name}_optimizer", adam)


class PortStep:
    """The PyTorch port: eager, its face network under `torch.autocast`, or its networks compiled
    (but D_img: the penalty differentiates twice, which compiled modules cannot)."""

    def __init__(self, mode: str, settings: Config, stage: str):
        import torch

        from fesr_tf.weights.light_cnn_torch import light_cnn
        from tests.support.torch_port.draws import Batch
        from tests.support.torch_port.networks import FaceNetwork
        from tests.support.torch_port.training import JointTraining

        torch.manual_seed(0)
        self.torch, self.settings = torch, settings
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        network = FaceNetwork(light_cnn(settings.identity))
        size = settings.image_size
        with torch.no_grad():
            feature_map = network.trunk(torch.zeros(1, settings.channels, size, size))
        port = JointTraining(settings, CLASSES, network, tuple(feature_map.shape[1:3]))
        port.to(self.device).build_optimizers()
        if mode == "port-bfloat16":
            network.trunk, network.embed_trunk = map(
                self.lower, (network.trunk, network.embed_trunk)
            )
        if mode == "port-compiled":
            for module in (port.encoder, port.decoder, port.recognizer.extract):
                module.compile()
            network.trunk, network.embed_trunk = map(
                torch.compile, (network.trunk, network.embed_trunk)
            )
        images, label = noise(settings)
        images = torch.from_numpy(images.transpose(0, 1, 4, 2, 3).copy()).to(self.device)
        labels = torch.from_numpy(label.astype(np.int64)).to(self.device)
        self.batch = Batch(images[0], images[1], labels)
        self.generator = torch.Generator(self.device).manual_seed(0)
        self.features = port.recognizer.classify.in_features
        self.run = port.stage2_step if stage == "joint" else port.stage1_step

    def losses(self) -> dict[str, float]:
        """Takes a step."""
        from tests.support.torch_port.draws import sample

        label = self.batch.label
        draws = sample(label, CLASSES, self.features, self.settings, self.generator)
        return {name: loss.item() for name, loss in self.run(self.batch, draws).items()}

    def lower(self, call: Callable) -> Callable:
        """`call` in bfloat16, as this project's mode of that name: float32 in and out."""
        torch = self.torch

        def lowered(x: Any) -> Any:
            with torch.autocast(self.device, dtype=torch.bfloat16):
                return call(x).float()

        return lowered

    def ceiling(self) -> dict[str, float]:
        torch, found = self.torch, {}
        for dtype in (torch.float32, torch.bfloat16):
            matrix = torch.randn(2048, 2048, device=self.device).to(dtype)
            found[str(dtype).partition(".")[2]] = product_rate(
                lambda: (matrix @ matrix)[0, 0].item()  # noqa: B023
            )
        return found

    def device_memory(self) -> int | None:
        return self.torch.cuda.max_memory_allocated() if self.device == "cuda" else None


def prepare(mode: str, stage: str, *overrides: str) -> tuple[str, Questions]:
    """The implementation `mode`, ready to step."""
    settings = config.resolve("ckplus", "FESR_JL", [*overrides, *OWN.get(mode, [])])
    made: Any = TensorFlowStep if mode in OWN else PortStep
    worker = made(mode, settings, stage)

    def step() -> tuple[float, dict[str, float]]:
        began = time.perf_counter()
        losses = worker.losses()
        return time.perf_counter() - began, losses

    def memory() -> int:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return worker.device_memory() or peak

    questions = {"step": step, "memory": memory, "ceiling": worker.ceiling}
    return "ready", questions | ({"input": worker.input} if mode in OWN else {})


if __name__ == "__main__":
    answer(lambda: prepare(*sys.argv[1:]))
