"""What a preprocessed folder holds: classes, schema, shards with digests, counts, rejects.

`manifest.json` is written last, so a folder that has one is complete. It carries no
times and no machine's paths: two runs over the same pictures give the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import BadUse, FailedWork
from pipelines.examples import CHIP_SIZE, schema
from pipelines.files import sha256_of
from pipelines.typed import typed

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True)
class Shard:
    """One TFRecord file: `path` relative to the folder, its records, bytes and SHA-256."""

    path: str
    records: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Reject:
    """One sample that did not become a record, and why. `source` is relative to the input."""

    key: str
    source: str
    class_name: str
    subject: str
    reason: str


@dataclass(frozen=True)
class Finding:
    """A count found in a database, beside the published one (-1: none is published)."""

    name: str
    found: int
    expected: int = -1

    @property
    def differs(self) -> bool:
        """Whether it is not what was published."""
        return self.expected not in (-1, self.found)


@dataclass(frozen=True)
class Manifest:
    """The contents of `manifest.json`.

    `counts` holds read, aligned, rejected (ints), by_class and by_subject ({name: n}, of
    aligned records) and by_fold ([{train, valid, test}], one entry a fold). `digest` is
    `combined_digest` of the shards: equal digests mean equal records.
    """

    database: str
    classes: tuple[str, ...]
    channels: int
    folds: int
    subject_independent: bool
    feature_schema: dict[str, dict[str, Any]]
    shards: tuple[Shard, ...]
    counts: dict[str, Any]
    rejects: tuple[Reject, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    chip_size: int = CHIP_SIZE
    format: int = FORMAT
    digest: str = field(default="")

    def shards_of(self, fold: int) -> list[Shard]:
        """The shards under `fold-NN/`."""
        return [shard for shard in self.shards if shard.path.startswith(f"{fold_folder(fold)}/")]

    def to_json(self) -> str:
        """The file's text; the digest is worked out here from the shards."""
        data = dataclasses.asdict(self)
        data["digest"] = combined_digest(self.shards)
        data["rejects"] = [
            {"class" if name == "class_name" else name: value for name, value in entry.items()}
            for entry in data["rejects"]
        ]
        ordered = {"format": data.pop("format"), **data}
        return json.dumps(ordered, indent=1, ensure_ascii=False) + "\n"


def fold_folder(fold: int) -> str:
    """`fold-03`: where the records tested by fold 3 lie."""
    return f"fold-{fold:02d}"


def shard_path(fold: int, index: int, count: int) -> str:
    """`fold-03/images-00000-of-00002.tfrecord`, relative to the data folder."""
    return f"{fold_folder(fold)}/images-{index:05d}-of-{count:05d}.tfrecord"


def combined_digest(shards: Iterable[Shard]) -> str:
    """SHA-256 over the shards' paths and digests in the manifest's order, in hex."""
    lines = "".join(f"{shard.sha256}  {shard.path}\n" for shard in shards)
    return hashlib.sha256(lines.encode()).hexdigest()


def load(folder: str | Path) -> Manifest:
    """The manifest of a preprocessed folder; `BadUse` if the folder is not one."""
    folder = Path(folder)
    path = folder / NAME
    if not folder.is_dir():
        raise BadUse(f"{folder} is not a folder; make one with `python -m pipelines.preprocess`")
    if not path.is_file():
        raise BadUse(
            f"{folder} holds no {NAME}, so it is not a finished data folder; make one with "
            "`python -m pipelines.preprocess`"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data.get("format")
        if version != FORMAT:
            raise BadUse(f"{path} has format {version!r}; this version reads {FORMAT}")
        return _from_data(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadUse(f"{path} is not a manifest of this project ({error!r})") from error


def verify(folder: str | Path, manifest: Manifest) -> None:
    """Recomputes every shard's size and SHA-256; `FailedWork` names the first that differs.

    A TFRecord file cut at a record's boundary reads short without any error, so this runs
    before training does.
    """
    folder = Path(folder)
    again = "run `python -m pipelines.preprocess` again"
    for shard in manifest.shards:
        path = folder / shard.path
        if not path.is_file():
            raise FailedWork(f"{path} is missing, though the manifest lists it; {again}")
        size = path.stat().st_size
        if size < shard.bytes:
            raise FailedWork(f"{path} is cut short: {size:,} of {shard.bytes:,} bytes; {again}")
        if size > shard.bytes or sha256_of(path) != shard.sha256:
            raise FailedWork(f"{path} was changed after it was written; {again}")
    if manifest.digest != combined_digest(manifest.shards):
        raise FailedWork(f"{folder / NAME} was changed after it was written; {again}")


def _from_data(data: dict[str, Any]) -> Manifest:
    renamed = [
        {"class_name" if name == "class" else name: value for name, value in entry.items()}
        for entry in data["rejects"]
    ]
    manifest = typed(Manifest, {**data, "rejects": renamed})
    counts = manifest.counts
    if manifest.feature_schema != schema(manifest.folds):
        raise ValueError(f"feature_schema is not that of {manifest.folds} folds")
    if list(counts["by_class"]) != list(manifest.classes):
        raise ValueError("classes are not those of by_class")
    if len(counts["by_fold"]) != manifest.folds:
        raise ValueError(f"by_fold does not count {manifest.folds} folds")
    return manifest
