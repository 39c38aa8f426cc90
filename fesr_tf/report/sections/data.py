"""The data: counts in and out, rejected images by reason, folds, digests, some aligned faces."""

from __future__ import annotations

import json
from pathlib import Path

from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT, Cell, Part, Table, Text
from fesr_tf.results.sources import Document
from pipelines.databases.base import GUESSED, KNOWN
from pipelines.dataset import fold_file
from pipelines.dataset.manifest import NAME, Manifest
from pipelines.dataset.subjects import counted, known
from pipelines.inspection import contact_sheet

DATA = "data"
_REASONS = 12


def section(m: Material) -> dict:
    """The contents of the data folder's manifest; without one, only what the runs know."""
    sources, manifest = m.sources, m.sources.manifest
    facts: list[list[Cell]] = [
        ["database", sources.database],
        ["folder", Text(str(sources.data), "code")],
        ["digest of the records", Text(sources.digest, "code")],
        ["classes", f"{len(sources.classes)}: {', '.join(sources.classes)}"],
    ]
    if manifest is None:
        source = f"{sources.data} is not there, or other by now"
        m.book.show(DATA, "counts", None, COUNT, source)
        return {"facts": Table(None, facts), "known": False}
    document = Document(str(sources.data / NAME), json.loads(manifest.to_json()))
    count = Part(m.book, DATA, document, "", ("counts",))
    for name in ("read", "aligned", "rejected"):
        facts.append([f"images {name}", count(f"pictures {name}", COUNT, name)])
    (people, unknown), source = counted(manifest), document.pointer("counts", "by_subject")
    if people:
        facts.append(["people", m.book.show(DATA, "people", people, COUNT, f"{source}: how many")])
    if unknown:
        what = "images of unknown subjects"
        facts.append([what, m.book.show(DATA, what, unknown, COUNT, f"{source}: the others")])
    size, plural = manifest.chip_size, "s" * (manifest.channels > 1)
    facts += [
        ["folds", f"{manifest.folds}, rule: {manifest.fold_rule}"],
        ["subjects", manifest.subjects or KNOWN],
        ["subject-independent", _independent(manifest)],
        ["digest of the folds", Text(manifest.fold_digest, "code")],
        ["aligned face", f"{size} × {size}, {manifest.channels} channel{plural}"],
    ]
    return {
        "known": True,
        "facts": Table(None, facts, "Contents of the data folder"),
        "folds": _folds(m, count, manifest),
        "classes": _classes(count, manifest),
        **_rejects(m, document, manifest),
        "published": _published(m, document, manifest),
        "anomalies": [f"{each.severity.lower()}: {each.text}" for each in manifest.anomalies]
        + list(manifest.notes),
        "sheet": _sheet(m, sources.data / manifest.place(contact_sheet.NAME)),
    }


def _folds(m: Material, count: Part, manifest: Manifest) -> Table:
    parts = ("train", "valid", "test")
    people = (
        _people_of_folds(m.sources.data / manifest.place(fold_file.NAME))
        if counted(manifest)[0]
        else None
    )
    rows = []
    for fold in range(manifest.folds):
        row: list[Cell] = [f"fold {fold}"]
        for part in parts:
            item = f"fold {fold}, {part}"
            row.append(count(f"{item}, pictures", COUNT, "by_fold", fold, part))
            if people:
                path = ("parts", fold, part, "subjects")
                row.append(m.book.show(DATA, f"{item}, people", len(people.at(*path)), COUNT,
                                       f"{people.pointer(*path)}: how many"))  # fmt: skip
        rows.append(row)
    head = ["fold"]
    for part in ("training", "validation", "test"):
        head += [f"{part} images"] + ["people"] * bool(people)
    return Table(head, rows, name=f"Images{' and people' * bool(people)} of folds")


def _independent(manifest: Manifest) -> str:
    if manifest.subject_independent:
        return "yes, by guessed subjects" if manifest.subjects == GUESSED else "yes"
    return "no" if known(manifest) else "unknown"


def _people_of_folds(path: Path) -> Document | None:
    try:
        return Document(str(path), json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _classes(count: Part, manifest: Manifest) -> Table:
    rows = []
    for name in manifest.classes:
        row: list[Cell] = [name, count(f"{name}, aligned", COUNT, "by_class", name)]
        known = name in manifest.counts["rejected_by_class"]
        rejected = known and count(f"{name}, rejected", COUNT, "rejected_by_class", name)
        rows.append([*row, rejected or "–"])
    return Table(["class", "aligned", "rejected"], rows, "Images by class")


def _rejects(m: Material, document: Document, manifest: Manifest) -> dict:
    reasons = manifest.reasons()
    old = manifest.rejects is not None
    where = ("rejects",) if old else ("counts", "rejected_by_reason")
    source = f"{document.pointer(*where)}: by reason"
    rows = [
        [reason, m.book.show(DATA, f"rejected: {reason}", count, COUNT, source)]
        for reason, count in reasons[:_REASONS]
    ]
    table = Table(["reason", "images"], rows, name="Rejected images by reason")
    return {"rejects": table if rows else None, "more_reasons": len(reasons) - len(rows)}


def _published(m: Material, document: Document, manifest: Manifest) -> Table | None:
    rows = []
    for index, finding in enumerate(manifest.findings):
        show = Part(m.book, DATA, document, finding.name, ("findings", index))
        found = show("found", COUNT, "found")
        expected = show("published", COUNT, "expected") if finding.expected != -1 else "–"
        rows.append([finding.name, found, expected, "differs" if finding.differs else ""])
    head = ["count", "found", "published", ""]
    return Table(head, rows, name="Found and published counts") if rows else None


def _sheet(m: Material, path: Path):
    """The contact sheet of the data folder, None if there is none."""
    about = "of the test parts, a row for each class; the line is where the eyes should be."
    return m.images.embed(path, "Aligned faces", about) if path.is_file() else None
