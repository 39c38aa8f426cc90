"""The contents of a preprocessed folder: classes, schema, files with digests, counts, rejects.

`manifest.json` is written last, so a folder that has one is complete. It carries no
times and no machine's paths: two runs over the same images give the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pipelines.common.errors import BadUse, FailedWork
from pipelines.common.files import (
    MANIFEST_NAME,
    VERSIONS,
    Location,
    location,
    sha256_of,
    unversioned,
)
from pipelines.common.records import Finding, Reject, typed
from pipelines.databases.base import SUBJECTS
from pipelines.dataset.examples import schema
from pipelines.faces.chips import FACE_SIZE

FORMAT = 2
NAME = MANIFEST_NAME
_AGAIN = "run `python -m pipelines.preprocess` again"
_PARTS = ("train", "valid", "test")
_COUNTS = ("by_class", "by_subject", "rejected_by_class", "rejected_by_subject", "by_channels")
ERROR, WARNING = "ERROR", "WARNING"
DETECTED, PREALIGNED, BOTH = "detected", "prealigned", "both"
"""Whether faces were found and aligned by this project, cropped beforehand, or some of each."""


@dataclass(frozen=True)
class Shard:
    """One TFRecord file: `path` relative to the folder, its records, bytes and SHA-256.

    In a store every path begins with one of `pipelines.common.files.VERSIONS`.
    """

    path: str
    records: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class File:
    """One file beside the shards: `path` relative to the folder, its bytes and SHA-256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Anomaly:
    """An anomaly of the records, in plain words.

    feature: of `pipelines.dataset.examples`; kind: a name of AnomalyInfo.Type; severity: WARNING
    (look at it) or ERROR (what is measured on these data would be wrong); short: a few words.
    """

    feature: str
    kind: str
    severity: str
    short: str
    text: str


@dataclass(frozen=True)
class Dropped:
    """A record that trains or validates in none of `folds` (its role there is 0), because the
    record `copy` of the same image is in another part."""

    key: str
    copy: str
    folds: tuple[int, ...]


class Loss(NamedTuple):
    """Images of one class or subject: read = aligned + rejected; share = rejected / read."""

    name: str
    read: int
    aligned: int
    rejected: int
    share: float


@dataclass(frozen=True)
class Manifest:
    """The contents of `manifest.json`.

    `counts` holds read, aligned, rejected (ints), by_class and by_subject ({name: n}, of
    aligned records), rejected_by_class and rejected_by_subject (the same of rejects),
    rejected_by_reason ({`Reject.kind`: n}, most often first; not in folders of earlier versions),
    by_channels ({"1": n, "3": n}, of aligned faces) and by_fold ([{train, valid, test}], one
    entry a fold). Images of unknown subjects are counted under no name in by_subject and
    rejected_by_subject. fold_rule, valid_share and subjects: see
    `pipelines.dataset.folds.Division`; subjects is empty in folders of earlier versions, which
    are taken as "known". copies: one of `pipelines.dataset.copies.RULES`, what was done with
    copies of one image on two sides of a split; empty in folders of earlier versions, which were
    not searched for near copies. dropped: the records that lost a role by it. rejects: those of
    folders of earlier versions; None where `pipelines.dataset.rejects` has them in a file of their
    own. files: the side files. alignment: `DETECTED`, `PREALIGNED`, `BOTH`, or empty in folders of
    earlier versions. fold_digest: that of `folds.json`; equal where subjects, rule and database
    are. digest: `combined_digest` of the shards; equal digests mean equal records. manifest_digest:
    SHA-256 of this file's text with that value empty.
    """

    database: str
    classes: tuple[str, ...]
    channels: int
    folds: int
    subject_independent: bool
    feature_schema: dict[str, dict[str, Any]]
    shards: tuple[Shard, ...]
    counts: dict[str, Any]
    rejects: tuple[Reject, ...] | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    fold_rule: str = "step"
    valid_share: float = 0.0
    subjects: str = ""
    copies: str = ""
    dropped: tuple[Dropped, ...] = ()
    files: tuple[File, ...] = ()
    chip_size: int = FACE_SIZE
    alignment: str = ""
    format: int = FORMAT
    fold_digest: str = ""
    digest: str = ""
    manifest_digest: str = ""

    def shards_of(self, fold: int) -> list[Shard]:
        """The shards under `fold-NN/`."""
        inside = f"{fold_folder(fold)}/"
        return [shard for shard in self.shards if unversioned(shard.path).startswith(inside)]

    @property
    def version(self) -> str:
        """The folder, relative to the data folder, in which its files lie; empty on a disk."""
        first = self.shards[0].path.partition("/")[0] if self.shards else ""
        return first if first in VERSIONS else ""

    def place(self, name: str) -> str:
        """The path, relative to the folder, of the side file `name`."""
        return f"{self.version}/{name}" if self.version else name

    def below(self, prefix: str) -> Manifest:
        """The manifest with `prefix` before the path of every file."""
        shards, files = (
            tuple(dataclasses.replace(file, path=prefix + file.path) for file in some)
            for some in (self.shards, self.files)
        )
        return dataclasses.replace(self, shards=shards, files=files)

    @property
    def num_votes(self) -> int:
        """The number of classes where the records hold votes, else 0."""
        return len(self.classes) if "votes" in self.feature_schema else 0

    @property
    def unknown_subjects(self) -> int:
        """The number of aligned images whose subject is unknown."""
        return self.counts["aligned"] - sum(self.counts["by_subject"].values())

    def reasons(self) -> list[tuple[str, int]]:
        """Why images were rejected (`Reject.kind`), and how many, most often first."""
        counted = Counter(self.counts.get("rejected_by_reason") or {})
        return (counted or Counter(reject.kind for reject in self.rejects or ())).most_common()

    def losses(self, what: str) -> list[Loss]:
        """The losses of every "class" or "subject", worst first."""
        aligned, rejected = self.counts[f"by_{what}"], self.counts[f"rejected_by_{what}"]
        losses = []
        for name in aligned | rejected:
            kept, lost = aligned.get(name, 0), rejected.get(name, 0)
            share = lost / (kept + lost) if kept + lost else 0.0
            losses.append(Loss(name, kept + lost, kept, lost, share))
        return sorted(losses, key=lambda loss: (-loss.share, -loss.rejected, loss.name))

    def to_json(self) -> str:
        """The file's text; the digests of the shards and of the text are computed here."""
        data = dataclasses.asdict(self)
        data["digest"] = combined_digest(self.shards)
        data["manifest_digest"] = ""
        if not self.subjects:  # so that a folder of an earlier version keeps its text
            del data["subjects"]
        if not self.copies:
            del data["copies"], data["dropped"]
        if self.rejects is None:
            del data["rejects"]
        else:
            data["rejects"] = [_without_thumbnail(entry) for entry in data["rejects"]]
        if not self.alignment:  # so that a folder of an earlier version keeps its text
            del data["alignment"]
        ordered = {"format": data.pop("format"), **data}
        ordered["manifest_digest"] = hashlib.sha256(_text(ordered).encode()).hexdigest()
        return _text(ordered)


def fold_folder(fold: int) -> str:
    """`fold-03`: where the records tested by fold 3 lie."""
    return f"fold-{fold:02d}"


def shard_path(fold: int, index: int, count: int) -> str:
    """`fold-03/images-00000-of-00002.tfrecord`, relative to the data folder."""
    return f"{fold_folder(fold)}/images-{index:05d}-of-{count:05d}.tfrecord"


def combined_digest(shards: Iterable[Shard]) -> str:
    """SHA-256 over the shards' paths (without the version) and digests in the manifest's order, in
    hex."""
    lines = "".join(f"{shard.sha256}  {unversioned(shard.path)}\n" for shard in shards)
    return hashlib.sha256(lines.encode()).hexdigest()


def database_in(folder: str | Location) -> str | None:
    """The name of the database in a preprocessed folder of any format, None if it is not one."""
    try:
        data = json.loads((location(folder) / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    named = isinstance(data, dict) and "format" in data and isinstance(data.get("database"), str)
    return data["database"] if named else None


def load(folder: str | Location) -> Manifest:
    """The manifest of a preprocessed folder; `BadUse` if the folder is not one."""
    folder = location(folder)
    path = folder / NAME
    if not path.is_file():
        trouble = f"holds no {NAME}, so it is not a finished data folder"
        if not folder.is_dir():
            trouble = "is not a folder"
        raise BadUse(f"{folder} {trouble}; make one with `python -m pipelines.preprocess`")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data.get("format")
        if version != FORMAT:
            raise BadUse(
                f"{path} has format {version!r}; this version reads {FORMAT}: "
                "preprocess the database again"
            )
        return _from_data(data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadUse(f"{path} is not a manifest of this project ({error!r:.300})") from error


def verify(folder: str | Location, manifest: Manifest) -> None:
    """Recomputes every shard's size and SHA-256; `FailedWork` names the first that differs.

    A TFRecord file cut at a record's boundary reads short without any error, so this runs
    before training does. The manifest has to be the folder's, byte for byte.
    """
    folder = location(folder)
    troubles = (file_trouble(folder, shard) for shard in manifest.shards)
    if trouble := next(filter(None, troubles), None) or manifest_trouble(folder, manifest):
        raise FailedWork(f"{trouble}; {_AGAIN}")


def file_trouble(folder: Location, listed: Shard | File) -> str | None:
    """The defect of a listed file: missing, cut short or changed; None if it has none."""
    path = folder / listed.path
    if isinstance(path, Path) and path.exists() and not path.is_file():
        return f"{path} is not a file"
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return f"{path} is missing, though the manifest lists it"
    if size < listed.bytes:
        return f"{path} is cut short: {size:,} of {listed.bytes:,} bytes"
    if size > listed.bytes or sha256_of(path) != listed.sha256:
        return f"{path} was changed after it was written"
    return None


def manifest_trouble(folder: Location, manifest: Manifest) -> str | None:
    """The defect of the manifest's own text, digests included; None if it has none."""
    same = (folder / NAME).read_bytes() == manifest.to_json().encode()
    return None if same else f"{folder / NAME} was changed after it was written"


def _text(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def inside(path: str) -> bool:
    """Whether a path in a file that may have been edited stays inside its folder."""
    pure = PurePosixPath(path)
    return not (pure.is_absolute() or ".." in pure.parts or str(pure) in (".", "") or "\0" in path)


def _without_thumbnail(entry: dict[str, Any]) -> dict[str, Any]:
    """A reject as earlier versions wrote it."""
    names = {"class_name": "class", "picture_bytes": "", "picture_sha256": ""}
    return {names.get(key, key): value for key, value in entry.items() if names.get(key, key)}


def _from_data(data: dict[str, Any]) -> Manifest:
    if "rejects" in data:
        renamed = [
            {"class_name" if name == "class" else name: value for name, value in entry.items()}
            for entry in data["rejects"]
        ]
        data = {**data, "rejects": renamed}
    manifest = typed(Manifest, data)
    counts, folds = manifest.counts, manifest.folds
    if manifest.feature_schema != schema(folds, manifest.num_votes):
        raise ValueError(f"feature_schema is not that of {folds} folds")
    if list(counts["by_class"]) != list(manifest.classes):
        raise ValueError("classes are not those of by_class")
    if manifest.subjects not in ("", *SUBJECTS):
        raise ValueError(f"subjects is {manifest.subjects!r}, not one of {', '.join(SUBJECTS)}")
    by_fold = counts["by_fold"]
    if len(by_fold) != folds or any(tuple(part) != _PARTS for part in by_fold):
        raise ValueError(f"by_fold does not count train, valid and test of {folds} folds")
    numbers = {name: counts[name] for name in ("read", "aligned", "rejected")}
    reasons = counts.get("rejected_by_reason", {})
    for table in (numbers, *(counts[name] for name in _COUNTS), reasons, *by_fold):
        for name, number in typed(dict, table, "counts").items():
            typed(int, number, name)
    for reject in manifest.rejects or ():
        if reject.splits and (
            len(reject.splits) != folds or reject.class_name not in manifest.classes
        ):
            raise ValueError(f"the reject {reject.key!r} has no class or no role in every fold")
    thumbnails = [reject.picture for reject in manifest.rejects or () if reject.picture]
    for path in (*(file.path for file in (*manifest.shards, *manifest.files)), *thumbnails):
        if not inside(path):
            raise ValueError(f"{path!r} is not a path inside the folder")
    # JSON can hold half a character, which no file name and no digest can.
    manifest.to_json().encode()
    return manifest
