"""Every check of a finished data folder, from its bytes; none stops at the first failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from pipelines.common import roles
from pipelines.common.errors import BadUse, FailedWork, FesrError
from pipelines.common.files import Location
from pipelines.dataset import examples, inventory
from pipelines.dataset.folds import crossing
from pipelines.dataset.inventory import Columns
from pipelines.dataset.manifest import NAME, Manifest, Shard, file_trouble, load, manifest_trouble
from pipelines.inspection import contact_sheet, side_files
from pipelines.media import images

# What file managers leave in any folder that they show.
_CLUTTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass
class Check:
    """One check. about: what was found sound; failures: sentences that each name a file;
    skipped: why it could not be made, empty if it was."""

    name: str
    about: str = ""
    failures: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def status(self) -> str:
        """ "ok", "FAILED" or "not checked"."""
        return "FAILED" if self.failures else "not checked" if self.skipped else "ok"


def check_folder(folder: Location) -> tuple[list[Check], Manifest | None]:
    """All checks in the order in which they are shown, and the manifest if it can be read.

    Raises `BadUse` only where there is no folder, or no manifest in it.
    """
    if not (folder / NAME).is_file():
        load(folder)
    try:
        manifest = load(folder)
        trouble = manifest_trouble(folder, manifest)
    except (BadUse, OSError) as error:
        return [Check("manifest", failures=[f"{error}"])], None
    first = Check("manifest", f"{NAME}, digest {manifest.manifest_digest[:12]}")
    if trouble:
        first.failures.append(trouble)
    checks = [first, *_listed_files(folder, manifest), _leftovers(folder, manifest)]
    records, columns = _records(folder, manifest)
    checks += records
    broken = any(check.failures for check in records)
    checks += _against_manifest(folder, manifest, columns, broken)
    return checks, manifest


def _listed_files(folder: Location, manifest: Manifest) -> Iterator[Check]:
    for name, listed in (("shards", manifest.shards), ("side files", manifest.files)):
        size = sum(each.bytes for each in listed)
        check = Check(name, f"{len(listed)} files, {size:,} bytes: sizes and SHA-256")
        for each in listed:
            try:
                trouble = file_trouble(folder, each)
            except OSError as error:
                trouble = f"{folder / each.path} cannot be read: {error}"
            if trouble:
                check.failures.append(trouble)
        yield check


def _leftovers(folder: Location, manifest: Manifest) -> Check:
    listed = {each.path for each in (*manifest.shards, *manifest.files)} | {NAME}
    # Without these a folder is not whole, though nothing that lies there is wrong.
    expected = {*side_files.NAMES, contact_sheet.NAME, *(r.picture for r in manifest.rejects)}
    check = Check("whole", "nothing but what the manifest lists")
    for name in sorted(expected - listed - {""}):
        check.failures.append(f"{folder / NAME} does not list {name}")
    for path in _walk(folder):
        if path.relative_to(folder).as_posix() not in listed and path.name not in _CLUTTER:
            check.failures.append(f"{path} is not in the manifest")
    return check


def _walk(folder: Location) -> Iterator[Location]:
    for path in sorted(folder.iterdir(), key=lambda each: each.name):
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path


def _records(folder: Location, manifest: Manifest) -> tuple[list[Check], Columns]:
    """Reads every shard, record by record, and goes on with the next where one is broken."""
    columns, home = Columns(manifest.folds), {}
    framing = Check("records", "CRCs, number and form of the records")
    pictures = Check("pictures", f"PNG, {manifest.chip_size}×{manifest.chip_size}, 1 or 3 channels")
    order = Check("keys", "unique, and in order within their fold")
    roles = Check("roles", "0 to 3 in every fold; records lie under the fold that tests them")
    last: dict[str, str] = {}
    seen: set[str] = set()
    for shard in manifest.shards:
        path = folder / shard.path
        where = shard.path.split("/")[0]
        for index, record in _decoded(folder, shard, framing):
            name = f"{path}: record {index} ({record.key})"
            if trouble := _form(record, manifest):
                framing.failures.append(f"{name} {trouble}")
                continue
            if trouble := _picture(record.image, manifest.chip_size):
                pictures.failures.append(f"{name} {trouble}")
            if record.key in seen:
                order.failures.append(f"{name} has a key that was there before")
            elif record.key <= last.get(where, ""):
                order.failures.append(f"{name} is out of order")
            last[where] = record.key
            seen.add(record.key)
            if trouble := _place(record, where, home, manifest):
                roles.failures.append(f"{name} {trouble}")
            columns.add(record)
    framing.about += f" ({len(columns):,})"
    return [framing, pictures, order, roles], columns


def _decoded(folder: Location, shard: Shard, check: Check) -> Iterator[tuple[int, examples.Record]]:
    path, count = folder / shard.path, 0
    try:
        for payload in examples.read_records(path):
            count += 1
            try:
                record = examples.decode(payload)
            except (DecodeError, FailedWork, ValueError, TypeError) as error:
                check.failures.append(f"{path}: record {count - 1} cannot be decoded ({error})")
                continue
            if examples.encode(record) != payload:
                check.failures.append(f"{path}: record {count - 1} holds more than its schema has")
                continue
            yield count - 1, record
    except FileNotFoundError:
        check.failures.append(f"{path} is missing")
        return
    except (FesrError, OSError) as error:
        check.failures.append(f"{error}" if str(path) in f"{error}" else f"{path}: {error}")
        return
    if count != shard.records:
        check.failures.append(f"{path} holds {count} records, not {shard.records}")


def _form(record: examples.Record, manifest: Manifest) -> str | None:
    if len(record.splits) != manifest.folds or len(record.eyes) != 4:
        return f"has {len(record.splits)} roles and {len(record.eyes)} eye coordinates"
    if not all(roles.UNUSED <= role <= roles.TEST for role in record.splits):
        return f"has the roles {record.splits}, not all of them 0 to 3"
    if not 0 <= record.label < len(manifest.classes):
        return f"has the label {record.label} of {len(manifest.classes)} classes"
    if manifest.classes[record.label] != record.class_name:
        return (
            f"has the class {record.class_name!r} and the label of "
            f"{manifest.classes[record.label]!r}"
        )
    return None


def _picture(png: bytes, size: int) -> str | None:
    if not png.startswith(_PNG_SIGNATURE):
        return "is not a PNG"
    try:
        shape = images.decode(png, max_pixels=size * size).shape
    except images.UnreadableImage as reason:
        return f"holds a picture that cannot be read ({reason})"
    channels = inventory.channels_of(png)
    expected = (size, size) if channels == 1 else (size, size, 3)
    return None if shape == expected else f"holds a picture of the shape {shape}, not {expected}"


def _place(
    record: examples.Record, where: str, home: dict[str, str], manifest: Manifest
) -> str | None:
    """What is wrong with the fold under which a record lies; home: that of each person so far."""
    folder = int(where.removeprefix("fold-")) if where[5:].isdecimal() else -1
    if not 0 <= folder < manifest.folds:
        return f"lies under {where}, which is no fold"
    tested = record.splits.index(roles.TEST) if roles.TEST in record.splits else None
    if tested not in (None, folder):
        return f"lies under {where} and is tested in fold {tested}"
    if manifest.subject_independent and home.setdefault(record.subject, where) != where:
        return f"lies under {where}, and its person under {home[record.subject]}"
    return None


def _against_manifest(
    folder: Location, manifest: Manifest, columns: Columns, broken: bool
) -> Iterator[Check]:
    """What follows from all the records: counts, people, and the side files made anew."""
    people = Check("people")
    crossed = {subject for subject, _ in crossing(columns.roles())}
    if manifest.subject_independent:
        people.about = f"{len(columns.subjects):,} people, none on two sides of a split"
        people.failures += [
            f"{folder}: {name} is on two sides of a split" for name in sorted(crossed)
        ]
    else:
        people.about = (
            f"official folds: {len(crossed):,} of {len(columns.subjects):,} people are on two "
            "sides of a split"
        )
    counts = Check("counts", "by class, person, fold and channels")
    derived = Check("made anew", ", ".join(side_files.DATA))
    if broken:
        derived.skipped = "some records could not be read"
        people.skipped = counts.skipped = derived.skipped
    else:
        counts.failures += _count_troubles(folder, manifest, columns)
        derived.failures += _derived_troubles(folder, manifest, columns)
    yield from (people, counts, derived)


def _count_troubles(folder: Location, manifest: Manifest, columns: Columns) -> Iterator[str]:
    counts, rejects = manifest.counts, manifest.rejects
    found = {
        "read": len(columns) + len(rejects),
        "aligned": len(columns),
        "rejected": len(rejects),
        **columns.counts(manifest.classes),
        "rejected_by_class": dict(Counter(reject.class_name for reject in rejects)),
        "rejected_by_subject": dict(Counter(reject.subject for reject in rejects)),
    }
    for name, value in found.items():
        if counts[name] != value:
            yield f"{folder / NAME} has other numbers under counts/{name} than the records"
    if manifest.channels == 3 and not found["by_channels"]["3"]:
        yield f"{folder / NAME} says 3 channels, and all pictures are gray"
    if manifest.feature_schema != examples.schema(manifest.folds):
        yield f"{folder / NAME} has another feature_schema than this version"


def _derived_troubles(folder: Location, manifest: Manifest, columns: Columns) -> Iterator[str]:
    again, made = side_files.describe(manifest, columns)
    if again.anomalies != manifest.anomalies:
        yield f"{folder / NAME} lists other anomalies than the records have"
    if again.fold_digest != manifest.fold_digest:
        yield f"{folder / NAME} has another fold digest than the records"
    # The page is for people, and may look otherwise in another version: its digest is checked.
    for name in side_files.DATA:
        try:
            same = (folder / name).read_bytes() == made[name]
        except OSError:
            same = False
        if not same:
            yield f"{folder / name} is not what the records give"
