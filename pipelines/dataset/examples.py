"""The one definition of a stored face: its tf.Example features and the TFRecord framing.

`pipelines` writes with it and `fesr_tf.data` reads with it. The Example message is built
here from its published field numbers, so that neither a Beam worker nor `pipelines.verify`
has to load TensorFlow (seconds and some 400 MB a process) to write a few protocol buffers;
the bytes are those of `tf.train.Example` with deterministic (sorted) map order.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from pipelines.common.errors import FailedWork
from pipelines.common.files import Location

# What a TFRecord adds to its payload: its length, and two CRCs.
FRAME_BYTES = 16


_FIELDS: dict[str, tuple[str, str, tuple[int, ...] | None, str]] = {
    # feature: (Record field, dtype, shape or None for (K,), meaning)
    "key": ("key", "string", (), "unique, stable name of the sample"),
    "image": ("image", "string", (), "PNG of the aligned uint8 chip, 1 or 3 channels"),
    "label": ("label", "int64", (), "index into the manifest's classes"),
    "class": ("class_name", "string", (), "the class by name"),
    "subject": ("subject", "string", (), "the person"),
    "splits": ("splits", "int64", None, "per fold: 0 unused, 1 train, 2 valid, 3 test"),
    "frame": ("frame", "int64", (), "position in its sequence"),
    "intensity": ("intensity", "float32", (), "0 neutral to 1 peak"),
    "yaw": ("yaw", "float32", (), "head turn in degrees"),
    "eyes": ("eyes", "float32", (4,), "eye centres x0 y0 x1 y1 in chip pixels; zeros: not known"),
}


@dataclass(frozen=True)
class Record:
    """One aligned face with everything that training and evaluation may ask about it.

    `image` is the PNG of the uint8 chip, (128,128) gray or (128,128,3) RGB. `splits` holds
    one role per fold. `eyes` are the centres of the eye on the left and on the right of
    the picture, x then y, in chip pixels; four zeros when the database came pre-aligned.
    """

    key: str
    image: bytes
    label: int
    class_name: str
    subject: str
    splits: tuple[int, ...]
    frame: int = 0
    intensity: float = 1.0
    yaw: float = 0.0
    eyes: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def schema(num_folds: int) -> dict[str, dict[str, Any]]:
    """The features as plain data, `{name: {dtype, shape, about}}`, for the manifest."""
    return {
        name: {
            "dtype": dtype,
            "shape": [num_folds] if shape is None else list(shape),
            "about": about,
        }
        for name, (_, dtype, shape, about) in _FIELDS.items()
    }


def features(num_folds: int) -> dict[str, Any]:
    """The features as `tf.io.FixedLenFeature`s, for `tf.io.parse_single_example`.

    Strings come back as scalar `tf.string`, numbers as `tf.int64` and `tf.float32`;
    `splits` has shape (num_folds,), `eyes` (4,), everything else ().
    """
    import tensorflow as tf

    return {
        name: tf.io.FixedLenFeature(tuple(entry["shape"]), tf.dtypes.as_dtype(entry["dtype"]))
        for name, entry in schema(num_folds).items()
    }


def encode(record: Record) -> bytes:
    """The record as a serialised tf.Example; equal records give equal bytes."""
    example = _example_class()()
    for name, (field, dtype, shape, _) in _FIELDS.items():
        value = getattr(record, field)
        values = [value] if shape == () else list(value)
        feature = example.features.feature[name]
        if dtype == "string":
            values = [item.encode() if isinstance(item, str) else item for item in values]
            feature.bytes_list.value.extend(values)
        elif dtype == "int64":
            feature.int64_list.value.extend(int(item) for item in values)
        else:
            feature.float_list.value.extend(float(item) for item in values)
    return example.SerializeToString(deterministic=True)


def decode(serialized: bytes) -> Record:
    """The inverse of `encode`; floats come back at float32 precision."""
    example = _example_class().FromString(serialized)
    kinds = {"string": "bytes_list", "int64": "int64_list", "float32": "float_list"}
    values: dict[str, Any] = {}
    for name, (field, dtype, shape, _) in _FIELDS.items():
        items = tuple(getattr(example.features.feature[name], kinds[dtype]).value)
        if shape == () and len(items) != 1:
            raise FailedWork(f"a record has {len(items)} values of the feature {name!r}, not one")
        if dtype == "string" and name != "image":
            items = tuple(item.decode() for item in items)
        values[field] = items[0] if shape == () else items
    return Record(**values)


def framed(payload: bytes) -> bytes:
    """One TFRecord: length, its masked CRC-32C, the payload, its masked CRC-32C."""
    length = struct.pack("<Q", len(payload))
    return length + _masked_crc(length) + payload + _masked_crc(payload)


def read_records(path: Location) -> Iterator[bytes]:
    """Yields the payloads of a TFRecord file, every CRC checked.

    Raises `FailedWork` naming the file and the record when it is cut short or damaged. A
    file cut exactly between two records reads short without an error: compare the count
    with the manifest's (`pipelines.dataset.manifest.verify`).
    """
    left = path.stat().st_size
    with path.open("rb") as file:
        index = 0
        while left:
            payload = read_record(file, left, f"{path}: record {index}")
            yield payload
            left -= len(payload) + FRAME_BYTES
            index += 1


def read_record(file: BinaryIO, left: int, name: str) -> bytes:
    """The payload of the record that starts here, `left` bytes before the end at the most.

    Raises `FailedWork`, calling the record `name`, if it is cut short or damaged.
    """
    head = file.read(12)
    # The length is checked before it is believed: a flipped bit there would ask for petabytes.
    if len(head) < 12 or head[8:] != _masked_crc(head[:8]):
        raise FailedWork(f"{name} is damaged or cut short; write it again")
    size = struct.unpack("<Q", head[:8])[0]
    body = file.read(size + 4) if size + FRAME_BYTES <= left else b""
    if len(body) < size + 4 or body[size:] != _masked_crc(body[:size]):
        raise FailedWork(f"{name} is damaged or cut short; write it again")
    return body[:size]


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


@functools.cache
def _example_class() -> Any:
    """tensorflow.Example, from the field numbers of its published .proto files."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="fesr/example.proto", package="tensorflow", syntax="proto3"
    )

    def message(parent: Any, name: str, *fields: tuple[str, int, int, str]) -> Any:
        made = parent.add(name=name)
        for field, number, label, type_name in fields:
            entry = made.field.add(name=field, number=number, label=label)
            if type_name.startswith("."):
                entry.type, entry.type_name = kind.TYPE_MESSAGE, type_name
            else:
                entry.type = getattr(kind, type_name)
        return made

    one, many = kind.LABEL_OPTIONAL, kind.LABEL_REPEATED
    message(file.message_type, "BytesList", ("value", 1, many, "TYPE_BYTES"))
    message(file.message_type, "FloatList", ("value", 1, many, "TYPE_FLOAT"))
    message(file.message_type, "Int64List", ("value", 1, many, "TYPE_INT64"))
    feature = message(
        file.message_type,
        "Feature",
        ("bytes_list", 1, one, ".tensorflow.BytesList"),
        ("float_list", 2, one, ".tensorflow.FloatList"),
        ("int64_list", 3, one, ".tensorflow.Int64List"),
    )
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    entry_type = ".tensorflow.Features.FeatureEntry"
    holder = message(file.message_type, "Features", ("feature", 1, many, entry_type))
    entry = message(
        holder.nested_type,
        "FeatureEntry",
        ("key", 1, one, "TYPE_STRING"),
        ("value", 2, one, ".tensorflow.Feature"),
    )
    entry.options.map_entry = True
    message(file.message_type, "Example", ("features", 1, one, ".tensorflow.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
