"""`models.config`: which versions of a model TensorFlow Serving loads, and their labels.

A running server reads the file again by itself. Rolling back is labelling the older version
stable.
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message

from fesr_tf.serving import messages
from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import write_whole

FILE = "models.config"
STABLE, CANARY = "stable", "canary"
# Where the server's container has the folder of the models.
MOUNTED = "/models"


def labels_of(models: Path, name: str) -> dict[str, int]:
    """The labels of a model by `models.config`: {"stable": 1}; empty where it names none."""
    config = _load(models / FILE)
    found = [each for each in config.model_config_list.config if each.name == name]
    return dict(found[0].version_labels) if found else {}


def versions_of(models: Path, name: str) -> list[int]:
    """The versions of a model that are there, in order."""
    folders = (models / name).glob("*/saved_model.pb")
    return sorted(int(path.parent.name) for path in folders if path.parent.name.isdecimal())


def label(models: Path, name: str, labels: dict[str, int]) -> Path:
    """Gives a model these labels and no others, and has their versions served.

    Other models of `models.config` stay as they are. Raises `BadUse` for a version that is not
    there, `FailedWork` for a `models.config` with what this command does not know.
    """
    there = versions_of(models, name)
    for key, version in labels.items():
        if version not in there:
            some = ", ".join(map(str, there)) or "none"
            raise BadUse(f"{models / name} has no version {version} to be {key}; it has: {some}")
    config = _load(models / FILE)
    entries = config.model_config_list.config
    found = [each for each in entries if each.name == name]
    entry = found[0] if found else entries.add(name=name)
    entry.base_path = entry.base_path or f"{MOUNTED}/{name}"
    entry.model_platform = "tensorflow"
    entry.version_labels.clear()
    for key, version in labels.items():
        entry.version_labels[key] = version
    entry.model_version_policy.specific.versions[:] = sorted(set(labels.values()))
    head = "# Written by python -m fesr_tf.rollout; the server reads it again by itself.\n"
    write_whole(models / FILE, head + text_format.MessageToString(config))
    return models / FILE


def _load(path: Path) -> Message:
    config = messages.server_config()()
    if not path.exists():
        return config
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), config)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise FailedWork(
            f"{path} holds what this command does not know ({error}): edit it by hand, or move it "
            "away"
        ) from None
