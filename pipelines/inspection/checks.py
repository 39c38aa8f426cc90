"""Checks a finished data folder from its bytes; no check stops at the first failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from google.protobuf.message import DecodeError

from pipelines.common import roles
from pipelines.common.errors import BadUse, FailedWork, FesrError
from pipelines.common.files import ARRAYS_NAME, VERSIONS, Location, unversioned
from pipelines.common.listing import Listing
from pipelines.common.records import Reject
from pipelines.dataset import anomalies, copies, examples, inventory, rejects
from pipelines.dataset.copies import Copies
from pipelines.dataset.fold_checks import crossing
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import (
    NAME,
    Anomaly,
    Manifest,
    Shard,
    file_trouble,
    load,
    manifest_trouble,
)
from pipelines.dataset.subjects import protocol
from pipelines.inspection import contact_sheet, page, side_files
from pipelines.media import images

# Files that file managers leave in the folders that they show.
_CLUTTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass
class Check:
    """One check. about: what it covers; failures: sentences that each name a file; skipped: the
    reason why it could not run, empty if it did."""

    name: str
    about: str = ""
    failures: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def status(self) -> str:
        """ "ok", "FAILED" or "not checked"."""
        return "FAILED" if self.failures else "not checked" if self.skipped else "ok"


def check_folder(folder: Location) -> tuple[list[Check], Manifest | None]:
    """All checks in the order in which they are printed, and the manifest if it can be read.

    Raises `BadUse` only where there is no folder, or no manifest in it.
    """
    if not (folder / NAME).is_file():
        load(folder)
    try:
        manifest = load(folder)
        trouble = manifest_trouble(folder, manifest)
    except (BadUse, OSError) as error:
        return [Check("manifest", failures=[f"{error}"])], None
    about = f"{NAME}, digest {manifest.manifest_digest[:12]}"
    checks = [Check("manifest", about, [trouble] if trouble else [])]
    rejected, unread = [], []
    try:
        rejected = list(rejects.read(folder, manifest))
    except (FailedWork, OSError) as error:
        unread = [f"{error}"]
    checks += [*_listed_files(folder, manifest, rejected, unread)]
    checks += [_completeness(folder, manifest, rejected)]
    record_checks, columns = _records(folder, manifest)
    broken = bool(unread) or any(check.failures for check in record_checks)
    checks += [*record_checks, *_against_manifest(folder, manifest, columns, rejected, broken)]
    return checks, manifest


def _listed_files(
    folder: Location, manifest: Manifest, rejected: list[Reject], unread: list[str]
) -> Iterator[Check]:
    """unread: why the list of rejects could not be read."""
    thumbnails = [
        replace(file, path=manifest.place(file.path)) for file in rejects.pictures(rejected)
    ]
    beside = (*manifest.files, *thumbnails)
    for name, files in (("shards", manifest.shards), ("side files", beside)):
        size = sum(file.bytes for file in files)
        about = f"{len(files)} files, {size:,} bytes: sizes and SHA-256"
        check = Check(name, about, list(unread) if files is beside else [])
        for file in files:
            try:
                trouble = file_trouble(folder, file)
            except OSError as error:
                trouble = f"{folder / file.path} cannot be read: {error}"
            if trouble:
                check.failures.append(trouble)
        yield check


def _completeness(folder: Location, manifest: Manifest, rejected: list[Reject]) -> Check:
    listed = {file.path for file in (*manifest.shards, *manifest.files)} | {NAME}
    listed |= {manifest.place(file.path) for file in rejects.pictures(rejected)}
    expected = {*side_files.NAMES, contact_sheet.NAME, *(r.picture for r in rejected)}
    if rejected and manifest.rejects is None:
        expected.add(rejects.NAME)
    expected = {manifest.place(name) for name in expected - {""}}
    # What a killed rerun left beside the version that stands.
    others = set(VERSIONS) - {manifest.version} if manifest.version else set()
    names = ((path, path.relative_to(folder)) for path in Listing(folder).files(folder))
    unlisted = [
        f"{path} is not in the manifest"
        for path, name in names
        if name.as_posix() not in listed
        and name.name not in _CLUTTER
        and name.parts[0] not in (*others, ARRAYS_NAME)
    ]
    missing = [f"{folder / NAME} does not list {name}" for name in sorted(expected - listed)]
    return Check("completeness", "the files of the manifest and no others", missing + unlisted)


def _records(folder: Location, manifest: Manifest) -> tuple[list[Check], Columns]:
    """Reads every shard, record by record, and continues with the next where one is broken."""
    columns, home = Columns(manifest.folds), {}
    framing = Check("records", "CRCs, number and form of the records")
    pixels = Check("images", f"PNG, {manifest.chip_size}×{manifest.chip_size}, 1 or 3 channels")
    order = Check("keys", "unique, and in order within their fold")
    splits = Check("roles", "0 to 3 in every fold; records lie under the fold that tests them")
    last: dict[str, str] = {}
    seen: set[str] = set()
    for shard in manifest.shards:
        path = folder / shard.path
        place = unversioned(shard.path).split("/")[0]
        for index, record in _decoded(folder, shard, framing):
            name = f"{path}: record {index} ({record.key})"
            if trouble := _form_trouble(record, manifest):
                framing.failures.append(f"{name} {trouble}")
                continue
            if trouble := _image_trouble(record.image, manifest.chip_size):
                pixels.failures.append(f"{name} {trouble}")
            if record.key in seen:
                order.failures.append(f"{name} repeats the key of an earlier record")
            elif record.key <= last.get(place, ""):
                order.failures.append(f"{name} is out of order")
            last[place] = record.key
            seen.add(record.key)
            if trouble := _place_trouble(record, place, home, manifest):
                splits.failures.append(f"{name} {trouble}")
            columns.add(record)
    framing.about += f" ({len(columns):,})"
    return [framing, pixels, order, splits], columns


def _decoded(folder: Location, shard: Shard, check: Check) -> Iterator[tuple[int, examples.Record]]:
    path, count = folder / shard.path, 0
    try:
        for index, payload in enumerate(examples.read_records(path)):
            count = index + 1
            try:
                record = examples.decode(payload)
            except (DecodeError, FailedWork, ValueError, TypeError) as error:
                check.failures.append(f"{path}: record {index} cannot be decoded ({error})")
                continue
            if examples.encode(record) != payload:
                check.failures.append(f"{path}: record {index} holds more than its schema has")
                continue
            yield index, record
    except FileNotFoundError:
        check.failures.append(f"{path} is missing")
    except (FesrError, OSError) as error:
        check.failures.append(f"{error}" if str(path) in f"{error}" else f"{path}: {error}")
    else:
        if count != shard.records:
            check.failures.append(f"{path} holds {count} records, not {shard.records}")


def _form_trouble(record: examples.Record, manifest: Manifest) -> str | None:
    if len(record.splits) != manifest.folds or len(record.eyes) != 4:
        return f"has {len(record.splits)} roles and {len(record.eyes)} eye coordinates"
    if len(record.votes) != manifest.num_votes:
        return f"has votes for {len(record.votes)} classes, not {manifest.num_votes}"
    if not all(roles.UNUSED <= role <= roles.TEST for role in record.splits):
        return f"has the roles {record.splits}, not all of them 0 to 3"
    if not 0 <= record.label < len(manifest.classes):
        return f"has the label {record.label} of {len(manifest.classes)} classes"
    if (name := manifest.classes[record.label]) != record.class_name:
        return f"has the class {record.class_name!r} and the label of {name!r}"
    return None


def _image_trouble(png: bytes, size: int) -> str | None:
    if not png.startswith(_PNG_SIGNATURE):
        return "is not a PNG"
    try:
        shape = images.decode(png, max_pixels=size * size).shape
    except images.UnreadableImage as reason:
        return f"holds an image that cannot be read ({reason})"
    expected = (size, size) if inventory.channels_of(png) == 1 else (size, size, 3)
    return None if shape == expected else f"holds an image of the shape {shape}, not {expected}"


def _place_trouble(
    record: examples.Record, place: str, home: dict[str, str], manifest: Manifest
) -> str | None:
    """The defect of the fold under which a record lies; home: that of each subject so far."""
    fold = int(place.removeprefix("fold-")) if place[5:].isdecimal() else -1
    if not 0 <= fold < manifest.folds:
        return f"lies under {place}, which is not a fold"
    tested = record.splits.index(roles.TEST) if roles.TEST in record.splits else None
    if tested not in (None, fold):
        return f"lies under {place} and is tested in fold {tested}"
    if manifest.subject_independent and home.setdefault(record.subject, place) != place:
        return f"lies under {place}, and its subject under {home[record.subject]}"
    return None


def _against_manifest(
    folder: Location,
    manifest: Manifest,
    columns: Columns,
    rejected: list[Reject],
    broken: bool,
) -> list[Check]:
    """What all the records determine: counts, subjects, and the side files made again."""
    subjects = Check("subjects")
    crossed = {subject for subject, _ in crossing(columns.roles())}
    if manifest.subject_independent:
        subjects.about = f"{columns.people:,} subjects, none on two sides of a split"
        subjects.failures += [
            f"{folder}: {name} is on two sides of a split" for name in sorted(crossed)
        ]
    elif not columns.people:
        subjects.about = protocol(manifest)
    else:
        subjects.about = (
            f"{protocol(manifest)}: {len(crossed):,} of {columns.people:,} subjects are on two "
            "sides of a split"
        )
    counts = Check("counts", "by class, subject, fold and channels")
    copied = Check("copies")
    derived = Check("recomputed", ", ".join(side_files.DATA))
    if broken:
        for check in (subjects, counts, copied, derived):
            check.skipped = "some records could not be read"
    else:
        counts.failures += _count_troubles(folder / NAME, manifest, columns, rejected)
        if manifest.copies:
            found = copies.find(columns)
            _judge_copies(copied, folder, manifest, columns, found)
            derived.failures += _derived_troubles(folder, manifest, columns, found, rejected)
        else:
            for check in (copied, derived):
                check.skipped = "made by a version that did not search for copies"
    return [subjects, counts, copied, derived]


def _judge_copies(
    check: Check, folder: Location, manifest: Manifest, columns: Columns, found: Copies
) -> None:
    check.about = f"none on two sides of a split, {len(found.within):,} pairs in one part of a fold"
    if manifest.dropped:
        check.about += f"; {len(manifest.dropped):,} images lost a role by --drop-copies"
    if found.across:
        about = copies.described(columns, found.across)
        if manifest.copies == copies.ALLOWED:
            check.about = f"allowed on two sides of a split: {about}"
        else:
            check.failures.append(f"{folder}: copies are on two sides of a split, {about}")


def _count_troubles(
    path: Location, manifest: Manifest, columns: Columns, rejected: list[Reject]
) -> Iterator[str]:
    counts = {
        "read": len(columns) + len(rejected),
        "aligned": len(columns),
        "rejected": len(rejected),
        **columns.counts(manifest.classes),
        "rejected_by_class": Counter(reject.class_name for reject in rejected),
        "rejected_by_subject": Counter(reject.subject for reject in rejected if reject.subject),
        "rejected_by_reason": Counter(reject.kind for reject in rejected),
    }
    stated = dict(manifest.counts)
    # Earlier versions counted rejects without a subject under "".
    stated["rejected_by_subject"] = {k: v for k, v in stated["rejected_by_subject"].items() if k}
    for name, value in counts.items():
        if stated.get(name, value) != value:
            yield f"{path} has other numbers under counts/{name} than the records"
    if manifest.channels == 3 and not counts["by_channels"]["3"]:
        yield f"{path} states 3 channels, and all images are gray"
    if manifest.feature_schema != examples.schema(manifest.folds, manifest.num_votes):
        yield f"{path} has another feature_schema than this version"


def _derived_troubles(
    folder: Location,
    manifest: Manifest,
    columns: Columns,
    found: Copies,
    rejected: list[Reject],
) -> Iterator[str]:
    again, contents = side_files.describe(manifest, columns, found, rejected)
    if _worded(again.anomalies) != _worded(manifest.anomalies):
        yield f"{folder / NAME} lists other anomalies than the records have"
    if again.fold_digest != manifest.fold_digest:
        yield f"{folder / NAME} has another fold digest than the records"
    # The page is for people and may differ in another version: only its digest is checked.
    for name in sorted({*side_files.DATA, *contents} - {page.NAME}):
        try:
            texts = [(folder / manifest.place(name)).read_bytes(), contents[name]]
            if name == anomalies.NAME:
                texts = [anomalies.current_words(text.decode()) for text in texts]
            same = texts[0] == texts[1]
        except (OSError, UnicodeDecodeError):
            same = False
        if not same:
            yield f"{folder / manifest.place(name)} differs from what the records give"


def _worded(found: Iterable[Anomaly]) -> list[Anomaly]:
    words = anomalies.current_words
    return [replace(each, short=words(each.short), text=words(each.text)) for each in found]
