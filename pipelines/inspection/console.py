"""Formats the command's closing text: counts, losses, anomalies and where the data lie."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pipelines.common.errors import plain
from pipelines.common.files import Location
from pipelines.common.records import Finding
from pipelines.common.text import table
from pipelines.dataset import fold_file, rejects
from pipelines.dataset.manifest import Loss, Manifest
from pipelines.dataset.subjects import named, protocol
from pipelines.inspection import contact_sheet, page

_SHOWN_REJECTS = 20
_SHOWN_LOSSES = 5


def findings_report(findings: Sequence[Finding]) -> str:
    """The counts found beside the published ones, and a warning by name for each difference."""
    rows = [(f.name, f.found, "" if f.expected == -1 else f"{f.expected:,}") for f in findings]
    warnings = [
        f"warning: {f.name}: found {f.found:,}, expected {f.expected:,}"
        for f in findings
        if f.differs
    ]
    return "\n".join([table(("", "found", "expected"), rows), *warnings])


def closing_report(
    manifest: Manifest, output: Location, scales: dict[str, int], seconds: float, replaced: bool
) -> str:
    """The summary of a finished job, from the manifest that it wrote.

    scales: how many faces were found at each scale of detection. seconds: what all workers
    together spent on the images.
    """
    counts = manifest.counts
    lines = [
        f"{counts['read']} images read, {counts['aligned']} faces aligned, "
        f"{counts['rejected']} rejected",
        f"{seconds / max(1, counts['aligned']):.3f} s of a worker per face",
    ]
    if reasons := manifest.reasons():
        lines.append(table(("rejected because", "images"), reasons))
    if scales:
        found = ", ".join(f"{count} {name}" for name, count in sorted(scales.items()))
        lines.append(f"found at the scales: {found}")
    lines += [
        table(("class", "faces"), list(counts["by_class"].items())),
        f"folds ({protocol(manifest)}):",
        table(
            ("fold", "train", "valid", "test"),
            [(fold, *part.values()) for fold, part in enumerate(counts["by_fold"])],
        ),
    ]
    if counts["rejected"]:
        where = manifest.place(rejects.NAME)
        lines += [f"rejected (all of them in {where}):", *_rejects(output, manifest)]
        for what in ("class", "subject") if named(manifest) else ("class",):
            lines += _losses(what, manifest.losses(what))
    lines += [f"note: {plain(note)}" for note in manifest.notes]
    lines += [f"{each.severity.lower()}: {plain(each.text)}" for each in manifest.anomalies]
    if replaced:
        lines.append(f"the earlier data in {output} was replaced")
    lines += [
        f"data     {output} ({len(manifest.shards)} TFRecord files, digest {manifest.digest[:12]})",
        f"folds    {output / manifest.place(fold_file.NAME)} (digest {manifest.fold_digest[:12]})",
        f"page     {output / manifest.place(page.NAME)}",
        f"image    {output / manifest.place(contact_sheet.NAME)}",
    ]
    return "\n".join(lines)


def _rejects(output: Location, manifest: Manifest) -> list[str]:
    shown = list(itertools.islice(rejects.read(output, manifest), _SHOWN_REJECTS))
    rows = [(each.source, each.class_name, each.subject, each.reason) for each in shown]
    return [
        table(("source", "class", "subject", "reason"), rows),
        *_more(manifest.counts["rejected"] - len(shown)),
    ]


def _losses(what: str, losses: Sequence[Loss]) -> list[str]:
    lossy = [loss for loss in losses if loss.rejected]
    # Of an image that was never matched to a person, such as a link, the subject is unknown.
    if not lossy:
        return []
    rows = [(x.name or "(none)", *x[1:4], f"{x.share:.1%}") for x in lossy[:_SHOWN_LOSSES]]
    more = _more(len(lossy) - len(rows), f" in {page.NAME}")
    return [f"lost by {what}, worst first:", table((what, *Loss._fields[1:]), rows), *more]


def _more(count: int, where: str = "") -> list[str]:
    return [f"  … and {count} more{where}"] if count > 0 else []
