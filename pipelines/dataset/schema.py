"""The schema of the records as TensorFlow Metadata's `Schema`, and the records that violate it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import schema_pb2

from pipelines.common import roles
from pipelines.common.text import listed
from pipelines.dataset import examples
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import ERROR, WARNING, Anomaly

NAME = "schema.pbtxt"

# L-infinity distance of the classes' shares in training and test. A test part of 33 images
# of seven classes (CK+) reaches 0.2 by chance about once in a hundred folds.
SKEW = 0.2
# Names in the text of an anomaly.
SHOWN = 10

_TYPES = {"string": schema_pb2.BYTES, "int64": schema_pb2.INT, "float32": schema_pb2.FLOAT}
_FLOATS = {"intensity": (0.0, 1.0), "yaw": (-180.0, 180.0)}


def build(classes: Sequence[str], folds: int, num_votes: int = 0) -> schema_pb2.Schema:
    """The schema of records of these classes with this many folds; every feature is required.

    num_votes: the number of classes where the records hold votes, else 0.
    The class's `skew_comparator` is the distance between training and test of one fold.
    """
    schema = schema_pb2.Schema()
    for name, entry in examples.schema(folds, num_votes).items():
        feature = schema.feature.add(name=name, type=_TYPES[entry["dtype"]])
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
        elif name == "votes":
            feature.float_domain.min = 0
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
    return schema


def text(message: Message) -> str:
    """A message as text; equal messages give equal text (maps are sorted by their keys)."""
    return text_format.MessageToString(message, as_utf8=True)


def violations(columns: Columns, schema: schema_pb2.Schema) -> Iterator[Anomaly]:
    """Values outside their domains; repeated keys; classes that are unknown, without a record, or
    different from their labels."""
    yield from _outside_domains(columns, schema)
    classes = list(next(f for f in schema.feature if f.name == "class").string_domain.value)
    repeated = sorted(key for key, count in Counter(columns.keys).items() if count > 1)
    if repeated:
        text = f"The same key names more than one record: {listed(repeated, SHOWN)}."
        yield Anomaly("key", "FEATURE_TYPE_LOW_UNIQUE", ERROR, "duplicate keys", text)
    unknown = sorted(set(columns.class_names) - set(classes))
    if unknown:
        kind = "ENUM_TYPE_UNEXPECTED_STRING_VALUES"
        text = f"Classes that the schema does not know: {listed(unknown, SHOWN)}."
        yield Anomaly("class", kind, ERROR, "unknown classes", text)
    absent = [name for name in classes if name not in columns.class_names]
    if absent:
        text = f"No record has the class {listed(absent, SHOWN)}."
        yield Anomaly("class", "CUSTOM_VALIDATION", WARNING, "classes without a record", text)
    labels = {name: label for label, name in enumerate(classes)}
    expected = np.array([labels.get(name, -1) for name in columns.class_names], np.int64)
    keys = _keys(columns, expected[columns.class_name] != columns.label)
    if keys:
        text = f"{records_have(len(keys))} a label that is not its class's: {listed(keys, SHOWN)}."
        yield Anomaly("label", "CUSTOM_VALIDATION", ERROR, "label and class disagree", text)


def records_have(count: int) -> str:
    """`1 record has`, `2 records have`."""
    return "1 record has" if count == 1 else f"{count} records have"


def _outside_domains(columns: Columns, schema: schema_pb2.Schema) -> Iterator[Anomaly]:
    for feature in schema.feature:
        kind = feature.WhichOneof("domain_info")
        if kind not in ("int_domain", "float_domain"):
            continue
        domain, prefix = getattr(feature, kind), "INT" if kind == "int_domain" else "FLOAT"
        values = getattr(columns, feature.name).reshape(len(columns), -1)
        checks = []
        if kind == "float_domain":
            checks.append((np.isnan(values), "HAS_NAN", "that is not a number"))
            checks.append((np.isinf(values), "HAS_INF", "that is infinite"))
        if domain.HasField("min"):
            checks.append((values < domain.min, f"SMALL_{prefix}", f"below {domain.min:g}"))
        if domain.HasField("max"):
            checks.append((values > domain.max, f"BIG_{prefix}", f"above {domain.max:g}"))
        for wrong, name, where in checks:
            if keys := _keys(columns, wrong.any(axis=1)):
                records = records_have(len(keys))
                text = f"{records} a value of {feature.name} {where}: {listed(keys, SHOWN)}."
                kind_name = f"{prefix}_TYPE_{name}"
                yield Anomaly(feature.name, kind_name, ERROR, "outside its domain", text)


def _keys(columns: Columns, rows: np.ndarray) -> list[str]:
    return [columns.keys[row] for row in np.flatnonzero(rows)]


def _whole(feature: schema_pb2.Feature, low: int, high: int) -> None:
    feature.int_domain.min, feature.int_domain.max = low, high
    feature.int_domain.is_categorical = True
