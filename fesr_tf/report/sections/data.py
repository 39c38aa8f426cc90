"""The data: counts in and out, rejects by reason, folds, digests, some aligned faces."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from fesr_tf.report.html import Raw, Section, bullets, details, escape, heading, paragraph, table
from fesr_tf.report.material import Material
from fesr_tf.report.values import COUNT, NOT_RUN
from fesr_tf.results.documents import Document
from pipelines.dataset import folds as fold_files
from pipelines.dataset.manifest import NAME, Manifest
from pipelines.inspection import contact_sheet

DATA = "data"
_REASONS = 12


def section(m: Material) -> Section:
    """What the manifest of the data folder says."""
    sources = m.sources
    facts = [
        ["database", sources.database],
        ["folder", Raw(f"<code>{escape(str(sources.data))}</code>")],
        ["digest of the records", Raw(f"<code>{escape(sources.digest)}</code>")],
        ["classes", f"{len(sources.classes)}: {', '.join(sources.classes)}"],
    ]
    manifest = sources.manifest
    if manifest is None:
        m.book.show(DATA, "counts", None, COUNT, f"{sources.data} is not there, or other by now")
        lost = paragraph(
            f"Counts, folds and rejects: {NOT_RUN}, as the folder is not there.", "none"
        )
        return Section(DATA, "Data", table(None, facts) + lost)
    document = Document(str(sources.data / NAME), json.loads(manifest.to_json()))
    for name in ("read", "aligned", "rejected"):
        facts.append([f"pictures {name}", _count(m, document, f"pictures {name}", name)])
    people = len(manifest.counts["by_subject"])
    source = f"{document.pointer('counts', 'by_subject')}: how many"
    facts.append(["people", m.book.show(DATA, "people", people, COUNT, source)])
    facts += [
        ["folds", f"{manifest.folds}, rule: {manifest.fold_rule}"],
        ["no person on two sides of a split", "yes" if manifest.subject_independent else "no"],
        ["digest of the folds", Raw(f"<code>{escape(manifest.fold_digest)}</code>")],
        ["chip", f"{manifest.chip_size} × {manifest.chip_size}, {manifest.channels} channel"
                 + "s" * (manifest.channels > 1)],
    ]  # fmt: skip
    parts = [
        table(None, facts, caption="What was read"),
        _folds(m, document, manifest),
        _classes(m, document, manifest),
        _rejects(m, document, manifest),
        _published(m, document, manifest),
    ]
    odd = [f"{each.severity.lower()}: {each.text}" for each in manifest.anomalies]
    if odd or manifest.notes:
        parts += [heading("What was odd"), bullets([*odd, *manifest.notes])]
    parts.append(_sheet(m, sources.data))
    return Section(DATA, "Data", "".join(parts))


def _count(m: Material, document: Document, item: str, *path: str | int) -> Raw:
    return m.book.of(DATA, item, document, ("counts", *path), COUNT)


def _folds(m: Material, document: Document, manifest: Manifest) -> str:
    people = _people_of_folds(m.sources.data)
    rows = []
    for fold in range(manifest.folds):
        row: list = [f"fold {fold}"]
        for part in ("train", "valid", "test"):
            item = f"fold {fold}, {part}"
            row.append(_count(m, document, f"{item}, pictures", "by_fold", fold, part))
            if people:
                path = ("parts", fold, part, "subjects")
                row.append(m.book.show(DATA, f"{item}, people", len(people.at(*path)), COUNT,
                                       f"{people.pointer(*path)}: how many"))  # fmt: skip
        rows.append(row)
    head = ["fold"]
    for part in ("training", "validation", "test"):
        head += [f"{part} pictures"] + ["people"] * bool(people)
    return heading("Folds") + table(
        head, rows, range(1, len(head)), name="Pictures and people of folds"
    )


def _people_of_folds(data: Path) -> Document | None:
    path = data / fold_files.NAME
    try:
        return Document(str(path), json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _classes(m: Material, document: Document, manifest: Manifest) -> str:
    rows = [
        [
            name,
            _count(m, document, f"{name}, aligned", "by_class", name),
            _count(m, document, f"{name}, rejected", "rejected_by_class", name)
            if name in manifest.counts["rejected_by_class"]
            else "–",
        ]
        for name in manifest.classes
    ]
    head = ["class", "aligned", "rejected"]
    return details("Pictures of each class", table(head, rows, range(1, 3), "Pictures by class"))


def _rejects(m: Material, document: Document, manifest: Manifest) -> str:
    if not manifest.rejects:
        return heading("Rejected") + paragraph("No picture was rejected.")
    found = Counter(each.reason for each in manifest.rejects).most_common()
    source = f"{document.pointer('rejects')}: by reason"
    rows = [
        [reason, m.book.show(DATA, f"rejected: {reason}", count, COUNT, source)]
        for reason, count in found[:_REASONS]
    ]
    more = len(found) - _REASONS
    rest = paragraph(f"And {more} more reasons, in manifest.json.", "note") if more > 0 else ""
    return (
        heading("Rejected")
        + table(["reason", "pictures"], rows, (1,), name="Rejects by reason")
        + rest
    )


def _published(m: Material, document: Document, manifest: Manifest) -> str:
    if not manifest.findings:
        return ""
    rows = []
    for index, each in enumerate(manifest.findings):
        item = f"{each.name}, "
        known = each.expected != -1
        rows.append([
            each.name,
            m.book.of(DATA, f"{item}found", document, ("findings", index, "found"), COUNT),
            m.book.of(DATA, f"{item}published", document, ("findings", index, "expected"), COUNT)
            if known else "–",
            "differs" if each.differs else "",
        ])  # fmt: skip
    head = ["count", "found", "published", ""]
    return heading("Found beside published") + table(
        head, rows, (1, 2), name="Found beside published"
    )


def _sheet(m: Material, data: Path) -> str:
    path = data / contact_sheet.NAME
    if not path.is_file():
        return ""
    return details("Some aligned faces", m.pictures.figure(path, "Aligned faces",
        "of the test parts, a row a class; the line is where the eyes should be."))  # fmt: skip
