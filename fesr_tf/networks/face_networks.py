"""The face-recognition networks that the key `identity` can name, with one input convention.

The spec of each declares its input (size, gray or blue-green-red, range); `FaceNetwork` converts
the project's images in [-1, 1] to it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from fesr_tf.config import Config
from fesr_tf.data.images import LUMA
from fesr_tf.data.origin import Origin
from fesr_tf.networks.light_cnn import SPECS, LightCNN
from fesr_tf.networks.weight_cache import cached_weights, not_weights
from pipelines.common.errors import BadUse, FailedWork

COMMITTED = Path(__file__).resolve().parent / "weights"
"""The package's own weights, `<identity>.npz`, each with the `.json` of its training."""

RENDERED_PEOPLE = frozenset({"light_cnn_demo"})
"""The networks whose own weights were trained on rendered people; all others on photographs."""

PHOTOGRAPHS = "light_cnn_photo"
"""The package's network whose trunk was trained on photographs."""

FETCHED = "light_cnn_v4"
"""The network whose weights `python -m fesr_tf.weights fetch` downloads."""


class FaceNetwork(keras.layers.Layer):
    """A frozen face network F_id: its weights are not trained, gradients reach the image."""

    def __init__(self, network: LightCNN) -> None:
        super().__init__(name=f"face_network_{network.spec.name}", trainable=False)
        network.trainable = False
        self.network = network

    @property
    def embedding_size(self) -> int:
        return self.network.spec.embedding

    def copy(self) -> FaceNetwork:
        """Another network with the same weights."""
        network = LightCNN(self.network.spec, seed=0)  # a seed of its own: no global one is used
        network.set_weights(self.network.get_weights())
        return FaceNetwork(network)

    def preprocess(self, image: tf.Tensor) -> tf.Tensor:
        """(B, S, S, 1|3) float32 in [-1, 1], gray or RGB -> the input that the spec declares.

        RGB becomes luma for a gray network and is reversed for a BGR one; gray stays gray, which
        a BGR network reads as three equal channels; -1 and 1 become the ends of the spec's
        range. Another size is resized by averaging whole cells where the ratio is a whole
        number, else bilinearly. Differentiable throughout.
        """
        spec = self.network.spec
        black, white = spec.value_range
        x = (image + 1.0) / 2.0 * (white - black) + black
        if spec.order == "gray" and x.shape[-1] == 3:
            x = tf.reduce_sum(x * tf.constant(LUMA, x.dtype), axis=-1, keepdims=True)
        elif spec.order == "bgr" and x.shape[-1] == 3:
            x = tf.reverse(x, [-1])
        height, width = x.shape[1:3]
        if (height, width) == (spec.size, spec.size):
            return x
        if height and height == width and height % spec.size == 0:
            # Bilinear resizing reads four pixels at any ratio, and would alias.
            cell = height // spec.size
            return tf.nn.avg_pool2d(x, cell, cell, "VALID")
        resized = tf.image.resize(x, (spec.size, spec.size), method="bilinear")
        return tf.cast(resized, x.dtype)  # tf.image.resize returns float32

    def trunk(self, image: tf.Tensor, dtype: str | None = None) -> tf.Tensor:
        """The map of conv1-pool3 of images (B, S, S, 1|3) in [-1, 1], float32.

        (B, s/8, s/8, C) with s the network's own size: (B, 16, 16, 192) for 29 and v4,
        (B, 8, 8, 48) for the demo's, (B, 8, 8, 80) for that for photographs. `dtype` is the type
        of the computation, None the images'.
        """
        x = self.preprocess(image)
        return tf.cast(self.network.trunk(tf.cast(x, dtype or x.dtype)), image.dtype)

    def embed(self, image: tf.Tensor) -> tf.Tensor:
        """F_id of images (B, S, S, 1|3) in [-1, 1]: (B, embedding_size) float32."""
        return self.embed_trunk(self.trunk(image))

    def embed_trunk(self, feature_map: tf.Tensor, dtype: str | None = None) -> tf.Tensor:
        """F_id of the map that `trunk` returns."""
        x = tf.cast(feature_map, dtype or feature_map.dtype)
        return tf.cast(self.network.embed_trunk(x), feature_map.dtype)

    def call(self, image: tf.Tensor) -> tf.Tensor:
        return self.embed(image)


def trained_on(identity: str, weights: str | Path | None = None) -> str:
    """ "rendered people" or "photographs"; "unknown" for weights of the user's own."""
    if weights:
        return "unknown"
    return "rendered people" if identity in RENDERED_PEOPLE else "photographs"


def doubts(config: Config, origin: Origin | None) -> list[str]:
    """A sentence where R's trunk, of a network of rendered people, is about to see photographs."""
    name, weights = config.recognizer_trunk
    if trained_on(name, weights) != "rendered people" or origin is None or origin.rendered:
        return []
    return [
        f"R's trunk, {name}, was trained on rendered people, and these are photographs: on those "
        "of FER2013's PublicTest R reached an accuracy of 65.6 % by the votes of FER+ with it, and "
        f"82.0 % with {PHOTOGRAPHS}; set trunk={PHOTOGRAPHS}"
    ]


def load_face_network(
    identity: str, weights: str | Path | None = None, *, random_seed: int | None = None
) -> FaceNetwork:
    """The network that `identity` names, with its weights.

    `weights` is an `.npz` of `pack_weights` or a Keras `.weights.h5`; None selects the weights
    in the package (of `light_cnn_demo` and `light_cnn_photo`) or those fetched or converted into
    the cache.
    `random_seed` initialises the weights at random instead (tests and benchmarks of speed).

    Raises `BadUse` for an unknown name, a missing file and a network without weights;
    `FailedWork` for a file that is damaged or belongs to another network.
    """
    if identity not in SPECS:
        raise BadUse(f"no face network {identity!r}; it is one of: {', '.join(SPECS)}")
    # Checked first: building a network takes seconds.
    path = _weight_file(identity, weights) if random_seed is None else None
    network = LightCNN(SPECS[identity], seed=random_seed)
    if path:
        _load(network, path)
    return FaceNetwork(network)


def _weight_file(identity: str, weights: str | Path | None) -> Path:
    if weights:
        path = Path(weights)
        if not path.is_file():
            raise BadUse(f"no weight file {path}: name an existing file")
        return path
    committed = COMMITTED / f"{identity}.npz"
    # The cache is asked second: a user without a home folder has none.
    path = committed if committed.is_file() else cached_weights(identity)
    if path.is_file():
        return path
    variant = identity.removeprefix("light_cnn_")
    task = f"convert CHECKPOINT --variant {variant} on the authors' checkpoint"
    if identity == FETCHED:
        task = "fetch, which downloads them once"
    raise BadUse(
        f"the weights of {identity} do not come with this package: run python -m fesr_tf.weights "
        f"{task}, or set identity_weights=FILE, or use identity=light_cnn_demo"
    )


def pack_weights(network: LightCNN, dtype: str = "float16") -> bytes:
    """An `.npz` file's bytes: `<layer>.kernel`, `<layer>.bias`; equal weights, equal bytes."""
    arrays = {name: value.numpy().astype(dtype) for name, value in _variables(network).items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _load(network: LightCNN, path: Path) -> None:
    """Fills `network` from `path`, all layers or none."""
    if reason := not_weights(path):
        raise _mismatch(network, path, reason)
    if path.name.endswith(".weights.h5"):
        try:
            network.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            raise _mismatch(network, path, str(error)) from None
        return
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise _mismatch(network, path, str(error)) from None
    fill(network, arrays, path)


def fill(network: LightCNN, arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Gives `network` the weights `<layer>.kernel` and `<layer>.bias`, all or none.

    Raises `FailedWork` naming `path` where a name, shape or value does not fit.
    """
    wanted = _variables(network)
    if odd := sorted(wanted.keys() ^ arrays.keys()):
        raise _mismatch(network, path, f"{odd[0]} is missing or unexpected")
    for name, variable in wanted.items():
        if arrays[name].shape != tuple(variable.shape):
            shapes = f"{arrays[name].shape} against {tuple(variable.shape)}"
            raise _mismatch(network, path, f"{name} has shape {shapes}")
        if not np.isfinite(arrays[name]).all():
            raise _mismatch(network, path, f"{name} holds values that are not finite")
    for name, variable in wanted.items():
        variable.assign(arrays[name].astype(variable.dtype.as_numpy_dtype))


def _variables(network: LightCNN) -> dict[str, tf.Variable]:
    return {
        f"{name}.{part}": getattr(layer, part)
        for name, layer in network.layers_by_name.items()
        for part in ("kernel", "bias")
    }


def _mismatch(network: LightCNN, path: Path, reason: str) -> FailedWork:
    sentence = " ".join(reason.split())
    return FailedWork(f"{path} does not hold the weights of {network.spec.name}: {sentence}")
