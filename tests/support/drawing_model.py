"""A small SavedModel with every signature of the export, whose answers can be worked out by hand.

`synthesize` moves a picture's brightness by 100 · intensity; `sample` gives an even gray of
128 + 100 · intensity with the seed in its corner. It decodes and encodes as the real one does.
"""

from __future__ import annotations

import tensorflow as tf

CLASSES = ("neutral", "happiness", "surprise")
SIDE = 32
STRINGS, FLOATS = tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.float32)
PICTURE = tf.TensorSpec([], tf.string)


class DrawingModel(tf.Module):
    """Brightness decides: the darkest third of values is neutral, the lightest surprise."""

    @tf.function(input_signature=[STRINGS])
    def serve(self, image_bytes):
        light = tf.map_fn(self._light, image_bytes, fn_output_signature=tf.float32)
        scores = -10.0 * tf.abs(light[:, None] - tf.constant([[0.0, 0.5, 1.0]]))
        shares = tf.nn.softmax(scores)
        names = tf.constant(CLASSES)
        return {
            "probabilities": tf.ensure_shape(shares, (None, len(CLASSES))),
            "label": tf.gather(names, tf.argmax(shares, axis=-1)),
            "classes": tf.tile(names[None], [tf.shape(shares)[0], 1]),
        }

    @tf.function(input_signature=[STRINGS])
    def embed(self, image_bytes):
        light = tf.map_fn(self._light, image_bytes, fn_output_signature=tf.float32)
        return {"embedding": tf.tile(light[:, None], [1, 512])}

    @tf.function(input_signature=[STRINGS, STRINGS, FLOATS])
    def synthesize(self, image_bytes, expression, intensity):
        def draw(row):
            picture = tf.cast(self._gray(row[0]), tf.float32) + 100.0 * row[1]
            return self._png(picture)

        drawn = tf.map_fn(draw, (image_bytes, intensity), fn_output_signature=PICTURE)
        with tf.control_dependencies([tf.debugging.assert_equal(
            tf.shape(expression), tf.shape(intensity))]):  # fmt: skip
            return {"image_bytes": tf.identity(drawn)}

    @tf.function(input_signature=[STRINGS, FLOATS, tf.TensorSpec([None], tf.int64)])
    def sample(self, expression, intensity, seed):
        def draw(row):
            picture = tf.fill((SIDE, SIDE, 1), 128.0 + 100.0 * row[0])
            corner = tf.scatter_nd([[0, 0, 0]], [tf.cast(row[1], tf.float32) - picture[0, 0, 0]],
                                   (SIDE, SIDE, 1))  # fmt: skip
            return self._png(picture + corner)

        drawn = tf.map_fn(draw, (intensity, seed), fn_output_signature=PICTURE)
        with tf.control_dependencies([tf.debugging.assert_equal(
            tf.shape(expression), tf.shape(intensity))]):  # fmt: skip
            return {"image_bytes": tf.identity(drawn)}

    def _gray(self, data):
        return tf.io.decode_image(data, channels=1, expand_animations=False)

    def _light(self, data):
        return tf.reduce_mean(tf.cast(self._gray(data), tf.float32)) / 255.0

    def _png(self, picture):
        return tf.io.encode_png(tf.cast(tf.clip_by_value(picture, 0.0, 255.0), tf.uint8))


def save(folder: str) -> None:
    """Writes the SavedModel into `folder`."""
    model = DrawingModel()
    signatures = {"serving_default": model.serve, "embed": model.embed,
                  "synthesize": model.synthesize, "sample": model.sample}  # fmt: skip
    tf.saved_model.save(model, folder, signatures=signatures)
