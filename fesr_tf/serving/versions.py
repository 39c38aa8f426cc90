"""`models.config`: which versions of a model TensorFlow Serving loads, and their labels.

A running server rereads the file. To roll back, label the older version stable.
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import write_whole

FILE = "models.config"
STABLE, CANARY = "stable", "canary"
# Where the server's container mounts the folder of the models.
MOUNTED = "/models"


def labels_of(models: Path, name: str) -> dict[str, int]:
    """The labels of a model in `models.config`: {"stable": 1}; empty where it names none."""
    entry = _entry(_load(models / FILE), name)
    return dict(entry.version_labels) if entry else {}


def versions_of(models: Path, name: str) -> list[int]:
    """The exported versions of a model, in order."""
    folders = (models / name).glob("*/saved_model.pb")
    return sorted(int(path.parent.name) for path in folders if path.parent.name.isdecimal())


def label(models: Path, name: str, labels: dict[str, int]) -> Path:
    """Gives a model these labels and no others, and has exactly their versions served.

    Other models in `models.config` keep their entries. Raises `BadUse` for a version that does not
    exist, `FailedWork` for a `models.config` that cannot be parsed.
    """
    exported = versions_of(models, name)
    for key, version in labels.items():
        if version not in exported:
            listed = ", ".join(map(str, exported)) or "none"
            raise BadUse(f"{models / name} has no version {version} to be {key}; it has: {listed}")
    config = _load(models / FILE)
    entry = _entry(config, name) or config.model_config_list.config.add(name=name)
    entry.base_path = entry.base_path or f"{MOUNTED}/{name}"
    entry.model_platform = "tensorflow"
    entry.version_labels.clear()
    entry.version_labels.update(labels)
    entry.model_version_policy.specific.versions[:] = sorted(set(labels.values()))
    head = "# Written by python -m fesr_tf.rollout; the server reads it again by itself.\n"
    write_whole(models / FILE, head + text_format.MessageToString(config))
    return models / FILE


def _entry(config: ModelServerConfig, name: str) -> ModelConfig | None:
    return next((entry for entry in config.model_config_list.config if entry.name == name), None)


def _load(path: Path) -> ModelServerConfig:
    config = ModelServerConfig()
    try:
        if path.exists():
            text_format.Parse(path.read_text(encoding="utf-8"), config)
        if config.HasField("custom_model_config"):
            raise text_format.ParseError("a custom_model_config, which this command cannot edit")
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise FailedWork(
            f"{path} cannot be read as a models.config ({error}): edit it by hand or move it away"
        ) from None
    return config
