"""The served model: encoded faces in, expressions and faces out, by stock operations.

It is saved as a plain `tf.Module` without Keras objects, because TensorFlow Serving's loader
refuses what `tf.saved_model.load` tolerates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from fesr_tf.data import images as preprocessing
from fesr_tf.model.fesgan import FESGAN
from fesr_tf.model.fesr import FESR
from fesr_tf.networks.recognizer import Recognizer
from fesr_tf.serving.calibration import mean_logits
from fesr_tf.serving.images import png_bytes, read, refuse, refuse_batch
from pipelines.faces.chips import FACE_SIZE

INPUT = "image_bytes"
OUTPUTS = ("probabilities", "label", "classes")
CLASSIFY = "tensorflow/serving/classify"
Answer = dict[str, tf.Tensor]


class Served:
    """The signatures of the networks that a model's variant trains.

    Each is `functions[name]`; the first dimension of its inputs and outputs is the batch.

    Of R: `serving_default` (image_bytes -> probabilities float32 (B,K), label string (B,),
    classes string (B,K)), `classify` (serialized tf.Examples with `image_bytes` -> classes,
    scores), `predict_pixels` (pixels uint8 (B,128,128,3), aligned faces that need no decoding -> as
    serving_default), `predict_tensor` (images float32 (B,S,S,c) in [-1,1] -> the same), `embed`
    (image_bytes -> embedding float32 (B,512) at width 1, R_ext in inference mode);

    Of G: `synthesize` (image_bytes, expression, a class's name, intensity in [-1,1] -> image_bytes
    of a PNG), `synthesize_code` (image_bytes, code (B,K) in [-1,1]), `sample` (expression,
    intensity, seed int64), `sample_code` (expression, intensity, z (B,n)): new identities.

    An invalid row fails its whole request, with a message that names the rows. recognizes: whether
    R is trained; None: as the model's variant says. mirrored: see `calibration.mean_logits`.
    """

    def __init__(
        self,
        model: FESR,
        classes: Sequence[str],
        recognizes: bool | None = None,
        mirrored: bool = False,
    ) -> None:
        config = model.config
        self.classes = tuple(classes)
        self.image_size, self.channels = config.image_size, config.channels
        self.functions: dict[str, Callable[..., Answer]] = {}
        if config.trains_recognizer if recognizes is None else recognizes:
            self.functions |= self._of_recognizer(model.recognizer, mirrored)
        if config.trains_fesgan:
            self.functions |= self._of_generator(model.fesgan)

    def save(self, folder: str) -> None:
        """Writes the SavedModel into `folder`, tag `serve`, `classify` in the official form."""
        signatures = {
            name: function.get_concrete_function() for name, function in self.functions.items()
        }
        # The saved module owns only the variables that the signatures read: not the Keras objects
        # with their traces, nor the face network's layers above the trunk.
        module = tf.Module(name="fesr")
        read_variables = {id(v): v for each in signatures.values() for v in each.variables}
        module.weights = list(read_variables.values())
        tf.saved_model.save(module, folder, signatures)
        if "classify" in signatures:
            updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(folder)
            updater.replace_method_name("classify", CLASSIFY, tags="serve")
            updater.save()

    def _of_recognizer(
        self, recognizer: Recognizer, mirrored: bool
    ) -> dict[str, Callable[..., Answer]]:
        side, channels = self.image_size, self.channels

        def answer(images: tf.Tensor) -> Answer:
            names = tf.constant(self.classes)
            logits = tf.cast(mean_logits(recognizer, images, mirrored), tf.float32)
            probabilities = tf.ensure_shape(tf.nn.softmax(logits), (None, len(self.classes)))
            label = tf.gather(names, tf.argmax(probabilities, axis=-1))
            classes = tf.tile(names[tf.newaxis], [tf.shape(probabilities)[0], 1])
            return dict(zip(OUTPUTS, (probabilities, label, classes), strict=True))

        def serve(image_bytes: tf.Tensor) -> Answer:
            return answer(self._read(image_bytes))

        def classify(inputs: tf.Tensor) -> Answer:
            feature = {INPUT: tf.io.FixedLenFeature([], tf.string, default_value="")}
            outputs = answer(self._read(tf.io.parse_example(inputs, feature)[INPUT]))
            return {"classes": outputs["classes"], "scores": outputs["probabilities"]}

        def predict_pixels(pixels: tf.Tensor) -> Answer:
            with tf.control_dependencies([refuse_batch(pixels)]):
                images = preprocessing.to_model(tf.identity(pixels), side, channels)
            # A boundary for the graph's optimiser, which would fuse the scaling with the network's
            # first operations and round differently.
            return answer(tf.ensure_shape(images, (None, side, side, channels)))

        def predict_tensor(images: tf.Tensor) -> Answer:
            checks = [refuse_batch(images), self._within(images, "images")]
            with tf.control_dependencies(checks):
                return answer(tf.identity(images))

        def embed(image_bytes: tf.Tensor) -> Answer:
            features = tf.cast(recognizer.features(self._read(image_bytes)), tf.float32)
            return {"embedding": features}

        return {
            "serving_default": _signature(serve, image_bytes=_STRINGS),
            "classify": _signature(classify, inputs=_STRINGS),
            "predict_pixels": _signature(predict_pixels, pixels=_ALIGNED_FACES),
            "predict_tensor": _signature(predict_tensor, images=_floats(side, side, channels)),
            "embed": _signature(embed, image_bytes=_STRINGS),
        }

    def _of_generator(self, fesgan: FESGAN) -> dict[str, Callable[..., Answer]]:
        count, length = len(self.classes), fesgan.config.code_size

        # Functions of their own, which the signatures share: the graph would hold G once for each.
        @tf.function(input_signature=[_floats(length), _floats(count)], autograph=False)
        def new_face(z: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
            return png_bytes(fesgan.decode(fesgan.new_codes(z), code))

        pixels = _floats(self.image_size, self.image_size, self.channels)

        @tf.function(input_signature=[pixels, _floats(count)], autograph=False)
        def translated(image: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
            return png_bytes(fesgan((image, code)))

        def generate(z: tf.Tensor, code: tf.Tensor) -> Answer:
            return {INPUT: new_face(z, code)}

        def translate(image_bytes: tf.Tensor, code: tf.Tensor) -> Answer:
            return {INPUT: translated(self._read(image_bytes), code)}

        def synthesize(image_bytes, expression, intensity) -> Answer:
            return translate(image_bytes, self._code(expression, intensity))

        def synthesize_code(image_bytes, code) -> Answer:
            with tf.control_dependencies([self._within(code, "code")]):
                return translate(image_bytes, tf.identity(code))

        def sample(expression, intensity, seed) -> Answer:
            # One seed per row: a face does not depend on the rest of its batch.
            z = tf.map_fn(
                lambda row: tf.random.stateless_uniform(
                    (length,), tf.stack([row, 0]), -1.0, 1.0, alg="philox"
                ),
                seed,
                fn_output_signature=tf.TensorSpec((length,)),
            )
            return generate(z, self._code(expression, intensity))

        def sample_code(expression, intensity, z) -> Answer:
            with tf.control_dependencies([self._within(z, "z")]):
                return generate(tf.identity(z), self._code(expression, intensity))

        wanted = {"expression": _STRINGS, "intensity": _floats()}
        seeds = tf.TensorSpec([None], tf.int64)
        return {
            "synthesize": _signature(synthesize, image_bytes=_STRINGS, **wanted),
            "synthesize_code": _signature(
                synthesize_code, image_bytes=_STRINGS, code=_floats(count)
            ),
            "sample": _signature(sample, **wanted, seed=seeds),
            "sample_code": _signature(sample_code, **wanted, z=_floats(length)),
        }

    def _read(self, image_bytes: tf.Tensor) -> tf.Tensor:
        return read(image_bytes, self.image_size, self.channels)

    def _code(self, expression: tf.Tensor, intensity: tf.Tensor) -> tf.Tensor:
        """u of Fig. 6, (B,K): the expression's entry is the intensity, all others are -1."""
        chosen = tf.equal(expression[:, tf.newaxis], tf.constant(self.classes)[tf.newaxis])
        unknown = f"has an expression that is none of {', '.join(self.classes)}"
        faults = tf.where(tf.reduce_any(chosen, axis=1), "", unknown)
        checks = [
            refuse_batch(expression),
            refuse(faults, "row"),
            self._within(intensity, "intensity"),
        ]
        with tf.control_dependencies(checks):
            return tf.where(chosen, intensity[:, tf.newaxis], -1.0)

    def _within(self, values: tf.Tensor, name: str) -> tf.Operation:
        """Fails, naming the rows, where a value is not in [-1,1]; NaN is not."""
        fine = tf.reshape(tf.abs(values) <= 1.0, (tf.shape(values)[0], -1))
        faults = tf.where(tf.reduce_all(fine, axis=1), "", f"has {name} outside -1 to 1")
        return refuse(faults, "row")


_STRINGS = tf.TensorSpec([None], tf.string)
_ALIGNED_FACES = tf.TensorSpec([None, FACE_SIZE, FACE_SIZE, 3], tf.uint8)


def _floats(*shape: int) -> tf.TensorSpec:
    return tf.TensorSpec([None, *shape], tf.float32)


def _signature(function: Callable[..., Answer], **inputs: tf.TensorSpec) -> Callable[..., Answer]:
    """A tf.function whose inputs carry these names in a SavedModel's signature."""
    named = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()]
    return tf.function(function, input_signature=named, autograph=False)
