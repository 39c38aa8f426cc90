"""What a job says when it is done: found, kept, lost, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.common.errors import plain
from pipelines.common.files import Location
from pipelines.common.records import Finding
from pipelines.common.text import table
from pipelines.dataset import folds
from pipelines.dataset.manifest import NAME, Manifest
from pipelines.inspection import contact_sheet, page

_SHOWN_REJECTS = 20
_SHOWN_LOSSES = 5


def findings_report(findings: Sequence[Finding]) -> str:
    """What was found beside what is published, and a warning by name for each difference."""
    rows = [(f.name, f.found, "" if f.expected == -1 else f"{f.expected:,}") for f in findings]
    lines = [table(("", "found", "expected"), rows)]
    lines += [
        f"warning: {f.name}: found {f.found:,}, expected {f.expected:,}"
        for f in findings
        if f.differs
    ]
    return "\n".join(lines)


def closing_report(
    manifest: Manifest, output: Location, scales: dict[str, int], replaced: bool
) -> str:
    """The job's last words, from the manifest that it wrote."""
    counts = manifest.counts
    parts = [
        f"{counts['read']} images read, {counts['aligned']} faces aligned, "
        f"{counts['rejected']} rejected"
    ]
    if scales:
        found = ", ".join(f"{count} {name}" for name, count in sorted(scales.items()))
        parts.append(f"found at the scales: {found}")
    parts.append(table(("class", "faces"), list(counts["by_class"].items())))
    rows = [
        (fold, part["train"], part["valid"], part["test"])
        for fold, part in enumerate(counts["by_fold"])
    ]
    kind = "no person crosses" if manifest.subject_independent else "official, people may cross"
    parts.append(f"folds ({kind}):")
    parts.append(table(("fold", "train", "valid", "test"), rows))
    if manifest.rejects:
        parts.append(f"rejected (all of them in {NAME}):")
        rows = [
            (reject.source, reject.class_name, reject.subject, reject.reason)
            for reject in manifest.rejects[:_SHOWN_REJECTS]
        ]
        parts.append(table(("source", "class", "subject", "reason"), rows))
        if len(manifest.rejects) > _SHOWN_REJECTS:
            parts.append(f"  … and {len(manifest.rejects) - _SHOWN_REJECTS} more")
        parts += _losses(manifest)
    parts.extend(f"note: {plain(note)}" for note in manifest.notes)
    parts.extend(f"{each.severity.lower()}: {plain(each.text)}" for each in manifest.anomalies)
    if replaced:
        parts.append(f"the data that {output} held before was replaced")
    parts.append(
        f"data     {output} ({len(manifest.shards)} TFRecord files, digest "
        f"{manifest.digest[:12]})\nfolds    {output / folds.NAME} (digest "
        f"{manifest.fold_digest[:12]})\n"
        f"page     {output / page.NAME}\npicture  {output / contact_sheet.NAME}"
    )
    return "\n".join(parts)


def _losses(manifest: Manifest) -> list[str]:
    """Where pictures were lost, worst first, in a few lines."""
    lines = []
    for what in ("class", "subject"):
        lost = [each for each in manifest.losses(what) if each.rejected]
        rows = [
            (each.name or "(none)", each.read, each.aligned, each.rejected, f"{each.share:.1%}")
            for each in lost[:_SHOWN_LOSSES]
        ]
        lines.append(f"lost by {what}, worst first:")
        lines.append(table((what, "read", "aligned", "rejected", "share"), rows))
        if len(lost) > _SHOWN_LOSSES:
            lines.append(f"  … and {len(lost) - _SHOWN_LOSSES} more in {page.NAME}")
    return lines
