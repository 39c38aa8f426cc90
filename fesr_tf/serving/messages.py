"""TensorFlow Serving's messages that an export writes: warm-up requests and `models.config`.

Declared here by their official names, numbers and types, as far as an export needs them, so that
exporting does not need `tensorflow-serving-api`; tests hold them to that package's own. Two
fields are `bytes` where the official ones are messages (TensorProto, Example): the same on disk.
"""

from __future__ import annotations

import functools

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

_PACKAGE = "tensorflow.serving"

# Message: its fields as (name, number, type); a type with a star is repeated, one in brackets
# the value of a map from strings.
_FIELDS = {
    "ModelSpec": [("name", 1, "string"), ("signature_name", 3, "string")],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "{bytes}")],
    "PredictLog": [("request", 1, "PredictRequest")],
    "ExampleList": [("examples", 1, "bytes*")],
    "Input": [("example_list", 1, "ExampleList")],
    "ClassificationRequest": [("model_spec", 1, "ModelSpec"), ("input", 2, "Input")],
    "ClassifyLog": [("request", 1, "ClassificationRequest")],
    "PredictionLog": [("classify_log", 2, "ClassifyLog"), ("predict_log", 6, "PredictLog")],
    "Specific": [("versions", 1, "int64*")],
    "ServableVersionPolicy": [("specific", 102, "Specific")],
    "ModelConfig": [
        ("name", 1, "string"),
        ("base_path", 2, "string"),
        ("model_platform", 4, "string"),
        ("model_version_policy", 7, "ServableVersionPolicy"),
        ("version_labels", 8, "{int64}"),
    ],
    "ModelConfigList": [("config", 1, "ModelConfig*")],
    "ModelServerConfig": [("model_config_list", 1, "ModelConfigList")],
}


def prediction_log() -> type[Message]:
    """PredictionLog: a record of a warm-up file, its `predict_log` or `classify_log`."""
    return _messages()["PredictionLog"]


def server_config() -> type[Message]:
    """ModelServerConfig: what `models.config` is, in protobuf's text format."""
    return _messages()["ModelServerConfig"]


@functools.cache
def _messages() -> dict[str, type[Message]]:
    """The classes by name, in a pool of their own: they do not meet the official ones."""
    file = descriptor_pb2.FileDescriptorProto(
        name="fesr_tf_serving.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, *field)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
    }


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number, label="LABEL_OPTIONAL")
    if kind.startswith("{"):
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, kind.strip("{}"))
        field.label, field.type = field.LABEL_REPEATED, field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{message.name}.{entry.name}"
        return
    if kind.endswith("*"):
        field.label, kind = field.LABEL_REPEATED, kind[:-1]
    if kind in _FIELDS:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
