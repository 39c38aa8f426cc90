"""The model that is served: encoded faces in, expressions out, by stock TensorFlow operations.

A plain `tf.Module`, because TensorFlow Serving's loader refuses what `tf.saved_model.load`
forgives. It holds the traced function and the variables that it reads, not the Keras objects:
nothing of Keras is needed, or written, where the model is served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from fesr_tf import preprocessing

INPUT = "image_bytes"
OUTPUTS = ("probabilities", "label", "classes")


class ServedRecognizer(tf.Module):
    """`recognizer(image, training=False) -> logits (B,K)`, built, behind a signature.

    `serving_default`: `image_bytes` string (B,), each an aligned face as PNG or JPEG (also
    GIF, BMP) of any size, gray or colour -> `probabilities` float32 (B,K), `label` string
    (B,), `classes` string (B,K), the names that the columns of `probabilities` mean.
    A picture that cannot be decoded fails the batch it is in.
    """

    def __init__(
        self,
        recognizer: Callable[..., tf.Tensor],
        classes: Sequence[str],
        image_size: int,
        channels: int,
    ) -> None:
        super().__init__(name="fesr")
        self.class_names = tf.constant(list(classes), name="class_names")
        self.image_size, self.channels = image_size, channels
        # Behind a function: Keras objects as attributes would be saved with all their traces.
        self._logits = lambda images: recognizer(images, training=False)
        # Only what the function reads: the face network's layers above the trunk stay behind.
        self.weights = list(self.serve.get_concrete_function().variables)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=INPUT)])
    def serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """What `serving_default` answers."""
        shape = (self.image_size, self.image_size, self.channels)
        images = tf.map_fn(
            self._image, image_bytes, fn_output_signature=tf.TensorSpec(shape, tf.float32)
        )
        logits = tf.cast(self._logits(images), tf.float32)
        probabilities = tf.ensure_shape(tf.nn.softmax(logits), (None, len(self.class_names)))
        label = tf.gather(self.class_names, tf.argmax(probabilities, axis=-1))
        rows = tf.shape(probabilities)[0]
        classes = tf.tile(self.class_names[tf.newaxis], [rows, 1])
        return dict(zip(OUTPUTS, (probabilities, label, classes), strict=True))

    def _image(self, data: tf.Tensor) -> tf.Tensor:
        image = preprocessing.decode_image(data, self.channels)
        return preprocessing.to_model(image, self.image_size, self.channels)

    def save(self, folder: str) -> None:
        """Writes the SavedModel into `folder`, tag `serve`."""
        tf.saved_model.save(self, folder, signatures={"serving_default": self.serve})
