"""One way of taking a training step, in a process of its own: `benchmarks.train_step` starts it.

Reads commands and answers them, a line of JSON each (`benchmarks.asked`): `step` (seconds of one
step and its losses), `ceiling` (multiply-adds a second of a matrix product), `input` (seconds a
batch of the input pipeline), `memory` (the peak so far, bytes).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from fesr_tf import config
from fesr_tf.config import Config

CLASSES = 7
TENSORFLOW = ("plain", "optimised", "bfloat16")
PORT = ("port", "port-bfloat16", "port-compiled")
MODES = (*TENSORFLOW, *PORT)
OWN = {
    "plain": ["passes=separate"],
    "optimised": ["passes=shared"],
    "bfloat16": ["passes=shared", "frozen_dtype=bfloat16"],
}


class Worker(Protocol):
    """One implementation with its model and its batch."""

    def step(self) -> dict[str, float]: ...
    def ceiling(self) -> dict[str, float]: ...
    def device_memory(self) -> int | None: ...


def pictures(settings: Config) -> tuple[np.ndarray, np.ndarray]:
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


class TensorFlowWorker:
    """This project: the step as `fit` runs it. `plain` also puts back what the step was made of
    before it was made fast: the library's operations and Keras' Adam."""

    def __init__(self, mode: str, settings: Config, stage: str, threads: int):
        import tensorflow as tf

        from fesr_tf.model import fesr
        from fesr_tf.networks.face_networks import load_face_network
        from fesr_tf.training import memory

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.tf, self.settings = tf, settings
        if mode == "plain":
            library_operations()
        else:
            memory.keep_freed_memory()
        network = load_face_network(settings.identity, random_seed=0)
        model = fesr.build(settings, CLASSES, network)
        if mode == "plain":
            keras_adam(model)
        (image, positive), label = pictures(settings)
        batch: tuple = (image, positive, label)
        if mode != "plain":
            frozen = model.fesgan.frozen
            known = {
                "map": frozen.trunk(tf.constant(image)),
                "positive_map": frozen.trunk(tf.constant(positive)),
            }
            known["identity"] = frozen.embed_trunk(known["map"])
            batch += (known,)
        target = model if stage == "joint" else model.fesgan
        self.function = target.make_train_function()
        self.batches = iter(tf.data.Dataset.from_tensors(batch).repeat())

    def step(self) -> dict[str, float]:
        return {name: float(value) for name, value in self.function(self.batches).items()}

    def ceiling(self) -> dict[str, float]:
        tf, found = self.tf, {}
        for dtype in (tf.float32, tf.bfloat16):
            matrix = tf.cast(tf.random.stateless_normal((2048, 2048), (0, 0)), dtype)
            multiply = tf.function(lambda a: tf.matmul(a, a)[0, 0], autograph=False)
            found[dtype.name] = product_rate(lambda: multiply(matrix).numpy())  # noqa: B023
        return found

    def input(self) -> float:
        """Seconds a batch of a fold of 1,296 faces, the cache's maps among them."""
        tf, size = self.tf, self.settings.image_size
        from fesr_tf import data
        from fesr_tf.model.frozen_features import FrozenFeatures

        random, count = np.random.default_rng(0), 1296
        shape = (count, size, size, self.settings.channels)
        label, text = np.arange(count, dtype=np.int32) % CLASSES, np.full(count, "")
        images = random.integers(0, 256, shape, np.uint8)
        faces = data.Faces(images, label, text, text, np.ones(count, np.float32))
        maps = tf.constant(np.ones((count, size // 8, size // 8, 192), np.float32))
        frozen = FrozenFeatures(maps, tf.zeros((count, 256)), count)
        batches = iter(data.batches(faces, self.settings, 0, frozen))
        for _ in range(5):
            next(batches)
        began, runs = time.perf_counter(), 50
        for _ in range(runs):
            next(batches)
        return (time.perf_counter() - began) / runs

    def device_memory(self) -> int | None:
        if not self.tf.config.list_physical_devices("GPU"):
            return None
        return self.tf.config.experimental.get_memory_info("GPU:0")["peak"]


def library_operations() -> None:
    """Puts back TensorFlow's own gradients and convolutions in the Light CNN, G_enc and D_img."""
    import tensorflow as tf

    from fesr_tf.networks import blocks, light_cnn, max_feature_map

    def convolution(x: Any, kernel: Any, bias: Any) -> Any:
        return max_feature_map.mfm(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias))

    light_cnn.mfm_convolution = convolution
    del blocks.MatrixConv.convolution_op


def keras_adam(model: Any) -> None:
    """Puts back Keras' Adam."""
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


class PortWorker:
    """The PyTorch port: eager, its face network under `torch.autocast`, or its networks compiled
    (but D_img: the penalty differentiates twice, which compiled modules cannot)."""

    def __init__(self, mode: str, settings: Config, stage: str, threads: int):
        import torch

        from benchmarks.torch_port.draws import Batch
        from benchmarks.torch_port.light_cnn import light_cnn
        from benchmarks.torch_port.networks import FaceNetwork
        from benchmarks.torch_port.training import JointTraining

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch, self.settings = torch, settings
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        network = FaceNetwork(light_cnn(settings.identity))
        size = settings.image_size
        with torch.no_grad():
            feature_map = network.trunk(torch.zeros(1, settings.channels, size, size))
        self.port = JointTraining(settings, CLASSES, network, tuple(feature_map.shape[1:3]))
        self.port.to(self.device)
        self.port.build_optimizers()
        if mode == "port-bfloat16":
            network.trunk, network.embed_trunk = map(
                self.lower, (network.trunk, network.embed_trunk)
            )
        if mode == "port-compiled":
            for module in (self.port.encoder, self.port.decoder, self.port.recognizer.extract):
                module.compile()
            network.trunk = torch.compile(network.trunk)
            network.embed_trunk = torch.compile(network.embed_trunk)
        pictures_, label = pictures(settings)
        images = torch.from_numpy(pictures_.transpose(0, 1, 4, 2, 3).copy()).to(self.device)
        labels = torch.from_numpy(label.astype(np.int64)).to(self.device)
        self.batch = Batch(images[0], images[1], labels)
        self.generator = torch.Generator(self.device).manual_seed(0)
        self.features = self.port.recognizer.classify.in_features
        self.run = self.port.stage2_step if stage == "joint" else self.port.stage1_step

    def step(self) -> dict[str, float]:
        from benchmarks.torch_port.draws import sample

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


def main() -> None:
    asked = json.loads(sys.argv[1])
    mode, stage, threads = asked["mode"], asked["stage"], asked["threads"]
    settings = config.resolve("ckplus", "FESR_JL", asked["overrides"] + OWN.get(mode, []))
    made = TensorFlowWorker if mode in TENSORFLOW else PortWorker
    worker: Any = made(mode, settings, stage, threads)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if command == "step":
            began = time.perf_counter()
            losses = worker.step()
            answer: Any = [time.perf_counter() - began, losses]
        elif command == "memory":
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            answer = worker.device_memory() or peak
        else:
            answer = getattr(worker, command)()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
