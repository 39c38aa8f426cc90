"""What the records must be, as TensorFlow Metadata's `Schema`: names, types, shapes, domains."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import schema_pb2

from pipelines.common import roles
from pipelines.dataset import examples

NAME = "schema.pbtxt"

# L-infinity distance of the classes' shares in training and test. A test part of 33 pictures
# out of seven classes (CK+) comes to 0.2 by chance about once in a hundred folds.
SKEW = 0.2

_TYPES = {"string": schema_pb2.BYTES, "int64": schema_pb2.INT, "float32": schema_pb2.FLOAT}
_FLOATS = {"intensity": (0.0, 1.0), "yaw": (-180.0, 180.0)}


def build(classes: Sequence[str], folds: int) -> schema_pb2.Schema:
    """The schema of records of these classes with this many folds; every feature is required.

    The class's `skew_comparator` is the distance between training and test of one fold.
    """
    made = schema_pb2.Schema()
    for name, entry in examples.schema(folds).items():
        feature = made.feature.add(name=name, type=_TYPES[entry["dtype"]])
        feature.presence.min_fraction = 1
        feature.presence.min_count = 1
        feature.shape.SetInParent()
        for size in entry["shape"]:
            feature.shape.dim.add(size=size)
        feature.annotation.comment.append(entry["about"])
        if name in _FLOATS:
            low, high = _FLOATS[name]
            feature.float_domain.min, feature.float_domain.max = low, high
            feature.float_domain.disallow_nan = feature.float_domain.disallow_inf = True
        elif name == "eyes":
            feature.float_domain.disallow_nan = feature.float_domain.disallow_inf = True
        elif name == "label":
            _whole(feature, 0, len(classes) - 1)
        elif name == "splits":
            _whole(feature, roles.UNUSED, roles.TEST)
        elif name == "frame":
            feature.int_domain.min = 0
        elif name == "class":
            feature.string_domain.value.extend(classes)
            feature.skew_comparator.infinity_norm.threshold = SKEW
        elif name == "image":
            feature.image_domain.minimum_supported_image_fraction = 1
    return made


def text(message: Message) -> str:
    """A message as text; equal messages give equal text (maps are sorted by their keys)."""
    return text_format.MessageToString(message, as_utf8=True)


def _whole(feature: schema_pb2.Feature, low: int, high: int) -> None:
    feature.int_domain.min, feature.int_domain.max = low, high
    feature.int_domain.is_categorical = True
