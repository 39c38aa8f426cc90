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
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from pipelines.common.errors import FailedWork
from pipelines.common.files import Location

# A TFRecord adds its length and two CRCs to the payload.
FRAME_BYTES = 16

_PROTO = """
name: "fesr/example.proto" package: "tensorflow" syntax: "proto3"
message_type { name: "BytesList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES } }
message_type { name: "FloatList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_FLOAT } }
message_type { name: "Int64List"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_INT64 } }
message_type { name: "Feature" oneof_decl { name: "kind" }
  field { name: "bytes_list" number: 1 label: LABEL_OPTIONAL type_name: "BytesList" oneof_index: 0 }
  field { name: "float_list" number: 2 label: LABEL_OPTIONAL type_name: "FloatList" oneof_index: 0 }
  field { name: "int64_list" number: 3 label: LABEL_OPTIONAL type_name: "Int64List" oneof_index: 0 }
}
message_type { name: "Features"
  field { name: "feature" number: 1 label: LABEL_REPEATED type_name: "FeatureEntry" }
  nested_type { name: "FeatureEntry" options { map_entry: true }
    field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
    field { name: "value" number: 2 label: LABEL_OPTIONAL type_name: "Feature" } } }
message_type { name: "Example"
  field { name: "features" number: 1 label: LABEL_OPTIONAL type_name: "Features" } }
"""

_FIELDS: dict[str, tuple[str, str, tuple[int | str, ...], str]] = {
    # feature: (Record field, dtype, shape, meaning)
    "key": ("key", "string", (), "unique, stable name of the sample"),
    "image": ("image", "string", (), "PNG of the aligned uint8 chip, 1 or 3 channels"),
    "label": ("label", "int64", (), "index into the manifest's classes"),
    "class": ("class_name", "string", (), "the class by name"),
    "subject": ("subject", "string", (), "the person"),
    "splits": ("splits", "int64", ("folds",), "per fold: 0 unused, 1 train, 2 valid, 3 test"),
    "frame": ("frame", "int64", (), "position in its sequence"),
    "intensity": ("intensity", "float32", (), "0 neutral to 1 peak"),
    "yaw": ("yaw", "float32", (), "head turn in degrees"),
    "eyes": ("eyes", "float32", (4,), "eye centres x0 y0 x1 y1 in chip pixels; zeros: not known"),
    "votes": (
        "votes",
        "float32",
        ("classes",),
        "people's votes for each class; their share is the target where targets=votes",
    ),
}


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


# The list of a feature that holds a dtype, and the conversion of a value to it.
_KINDS = {
    "string": ("bytes_list", _bytes),
    "int64": ("int64_list", int),
    "float32": ("float_list", float),
}


@dataclass(frozen=True)
class Record:
    """One aligned face with everything that training and evaluation need.

    `image` is the PNG of the uint8 face, (128,128) gray or (128,128,3) RGB. `splits` holds
    one role per fold. `eyes` are the centres of the eye on the left and on the right of
    the image, x then y, in its pixels; four zeros when the database came pre-aligned. `votes`
    holds a number for each class, and is empty, and not stored, where the database has none.
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
    votes: tuple[float, ...] = ()


def schema(num_folds: int, num_votes: int = 0) -> dict[str, dict[str, Any]]:
    """The features as plain data, `{name: {dtype, shape, about}}`, for the manifest.

    num_votes: the number of classes where the records hold votes, else 0.
    """
    sizes = {"folds": num_folds, "classes": num_votes}
    return {
        name: {"dtype": dtype, "shape": [sizes.get(size, size) for size in shape], "about": about}
        for name, (_, dtype, shape, about) in _FIELDS.items()
        if name != "votes" or num_votes
    }


def features(num_folds: int, num_votes: int = 0) -> dict[str, Any]:
    """The features as `tf.io.FixedLenFeature`s, for `tf.io.parse_single_example`.

    Strings come back as scalar `tf.string`, numbers as `tf.int64` and `tf.float32`; `splits` has
    shape (num_folds,), `eyes` (4,), `votes` (num_votes,) where that is not 0, everything else ().
    """
    import tensorflow as tf

    return {
        name: tf.io.FixedLenFeature(tuple(entry["shape"]), tf.dtypes.as_dtype(entry["dtype"]))
        for name, entry in schema(num_folds, num_votes).items()
    }


def encode(record: Record) -> bytes:
    """The record as a serialised tf.Example; equal records give equal bytes."""
    example = _example_class()()
    for name, (field, dtype, shape, _) in _FIELDS.items():
        value = getattr(record, field)
        if name == "votes" and not value:
            continue
        values = [value] if shape == () else value
        kind, convert = _KINDS[dtype]
        getattr(example.features.feature[name], kind).value.extend(map(convert, values))
    return example.SerializeToString(deterministic=True)


def decode(serialized: bytes) -> Record:
    """The inverse of `encode`; floats come back at float32 precision."""
    example = _example_class().FromString(serialized)
    values: dict[str, Any] = {}
    for name, (field, dtype, shape, _) in _FIELDS.items():
        items = tuple(getattr(example.features.feature[name], _KINDS[dtype][0]).value)
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
    # The length is checked before it is used: a flipped bit there would request petabytes.
    if len(head) == 12 and head[8:] == _masked_crc(head[:8]):
        size = struct.unpack("<Q", head[:8])[0]
        body = file.read(size + 4) if size + FRAME_BYTES <= left else b""
        if len(body) == size + 4 and body[size:] == _masked_crc(body[:size]):
            return body[:size]
    raise FailedWork(f"{name} is damaged or cut short; write it again")


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


@functools.cache
def _example_class() -> Any:
    """tensorflow.Example, from the field numbers of its published .proto files."""
    file = text_format.Parse(_PROTO, descriptor_pb2.FileDescriptorProto())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
