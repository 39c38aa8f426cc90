"""`python -m fesr_tf.rollout --name NAME --stable N [--canary M]`: which versions are served.

Writes `models.config`, which a running server reads again by itself: the versions that it loads,
and the labels `stable` and `canary` by which clients ask for them. Rolling back is naming the
older version as stable.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message

from fesr_tf import serving_messages
from pipelines.errors import BadUse, FailedWork, command
from pipelines.files import write_whole

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
    config = serving_messages.server_config()()
    if not path.exists():
        return config
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), config)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise FailedWork(
            f"{path} holds what this command does not know ({error}): edit it by hand, or move it "
            "away"
        ) from None


@command
def main(argv: list[str] | None = None) -> int:
    """Labels a model's versions; exit code 0, 2 (bad use) or 1 (failed work)."""
    parser = argparse.ArgumentParser(
        prog="python -m fesr_tf.rollout",
        description="Says which versions of a model are served, as stable and as canary.",
    )
    parser.add_argument("--name", required=True, help="the model's name")
    parser.add_argument("--stable", type=int, help="version for everybody")
    parser.add_argument("--canary", type=int, help="version that is tried out [none]")
    parser.add_argument("--models", type=Path, default=Path("saved_models"), help="[%(default)s]")
    options = parser.parse_args(argv)
    if options.stable is not None:
        wanted = {STABLE: options.stable, CANARY: options.canary}
        given = {key: version for key, version in wanted.items() if version is not None}
        print(f"written: {label(options.models, options.name, given)}")
    elif options.canary is not None:
        raise BadUse("--canary needs --stable: say which version everybody else gets")
    there = versions_of(options.models, options.name)
    if not there:
        raise BadUse(f"{options.models / options.name} has no version: export one first")
    labels = labels_of(options.models, options.name)
    for version in there:
        names = [key for key, labelled in sorted(labels.items()) if labelled == version]
        print(f"  version {version}: {', '.join(names) or 'not served'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
