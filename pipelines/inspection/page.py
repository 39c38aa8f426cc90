"""One page for a person to look at before training: `index.html`, which needs no network.

Pictures lie beside it; text, tables and drawings are in it. Everything that came from a file
name or a table of the user's is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

from pipelines.dataset.folds import PARTS
from pipelines.dataset.manifest import NAME as MANIFEST
from pipelines.dataset.manifest import Manifest, fold_folder
from pipelines.dataset.rejections import losses
from pipelines.inspection import contact_sheet
from pipelines.inspection.histograms import bars, histogram

NAME = "index.html"
_SHOWN_REJECTS = 1000

_CSS = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:64rem;padding:0 1rem 3rem}
h1{font-size:1.6rem;margin:1.2rem 0 .2rem}h2{font-size:1.2rem;margin:2rem 0 .5rem}
.scroll{overflow-x:auto}img{max-width:100%;height:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #8884}
td.n,th.n{text-align:right}
.warn{border-left:4px solid #d98200;padding-left:.6rem}
.error{border-left:4px solid #d02020;padding-left:.6rem}
.charts,.rejects{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;max-width:20rem}figcaption{font-size:.85rem;overflow-wrap:anywhere}
.rejects figure{width:9rem}.rejects img{max-height:8rem;display:block}
.none{display:grid;place-items:center;height:4rem;border:1px dashed #8888;font-size:.8rem}
code{overflow-wrap:anywhere}svg{max-width:100%;height:auto;fill:currentColor}
"""


def render(manifest: Manifest, statistics: pb.DatasetFeatureStatisticsList) -> str:
    """The page. It tells nothing about files and digests that is not known before it is written,
    so that the same manifest and statistics give the same page before and after."""
    parts = [
        *_head(manifest),
        *_findings(manifest),
        *_anomalies(manifest),
        *_folds(manifest, statistics),
        *_sheet(manifest),
        *_losses(manifest),
        *_rejects(manifest),
        *_statistics(statistics),
        *_digests(manifest),
    ]
    title = escape(f"{manifest.database}: what was aligned")
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _head(manifest: Manifest) -> Iterable[str]:
    counts = manifest.counts
    yield f"<h1>{escape(manifest.database)}</h1>"
    yield (
        f"<p>{counts['read']:,} images read, {counts['aligned']:,} faces aligned, "
        f"{counts['rejected']:,} rejected. {len(counts['by_subject']):,} people, "
        f"{len(manifest.classes)} classes, {manifest.folds} folds, "
        f"{'gray' if manifest.channels == 1 else 'colour'}.</p>"
    )


def _findings(manifest: Manifest) -> Iterable[str]:
    if not manifest.findings:
        return
    yield "<h2>Found beside published</h2>"
    rows = [(f.name, f.found, f.expected if f.expected != -1 else "") for f in manifest.findings]
    yield _table(("", "found", "expected"), rows)
    for each in manifest.findings:
        if each.differs:
            text = f"{each.name}: found {each.found:,}, expected {each.expected:,}"
            yield f'<p class="warn">Warning: {escape(text)}</p>'


def _anomalies(manifest: Manifest) -> Iterable[str]:
    yield "<h2>What to look at</h2>"
    for each in manifest.anomalies:
        kind = "error" if each.severity == "ERROR" else "warn"
        name = "Error" if each.severity == "ERROR" else "Warning"
        yield f'<p class="{kind}">{name}, {escape(each.short)}: {escape(each.text)}</p>'
    for note in manifest.notes:
        yield f'<p class="warn">Note: {escape(note)}</p>'
    if not manifest.anomalies and not manifest.notes:
        yield "<p>Nothing odd was found in the records.</p>"


def _folds(manifest: Manifest, statistics: pb.DatasetFeatureStatisticsList) -> Iterable[str]:
    yield "<h2>Classes and folds</h2>"
    kind = (
        "No person is on two sides of a split."
        if manifest.subject_independent
        else "These folds are the database's own: people may be on two sides of a split."
    )
    share = f", {manifest.valid_share:.0%} of the training people validate"
    rule = escape(manifest.fold_rule) + (share if manifest.valid_share else "")
    yield f"<p>Rule: {rule}. {kind}</p>"
    found = {dataset.name: _class_counts(dataset) for dataset in statistics.datasets}
    head = ["class", "all"]
    for fold in range(manifest.folds):
        head += [f"{fold} {part}" for part in PARTS]
    names = ["all", *(f"{fold_folder(f)}/{part}" for f in range(manifest.folds) for part in PARTS)]
    rows = [[each, *(found[name].get(each, 0) for name in names)] for each in manifest.classes]
    rows.append(["sum", *(sum(found[name].values()) for name in names)])
    yield _table(head, rows)


def _sheet(manifest: Manifest) -> Iterable[str]:
    yield "<h2>Aligned faces</h2>"
    yield f'<p><img src="{contact_sheet.NAME}" alt="Some aligned faces of every class"></p>'


def _losses(manifest: Manifest) -> Iterable[str]:
    for what, plural in (("class", "Classes"), ("subject", "People")):
        found = losses(manifest.counts, what)
        rows = [
            (each.name or "(none)", each.read, each.aligned, each.rejected, f"{each.share:.1%}")
            for each in found
        ]
        head = (what, "read", "aligned", "rejected", "share")
        lost = sum(each.rejected > 0 for each in found)
        yield f"<h2>{plural}: {len(found):,}, {lost:,} of them with losses</h2>"
        opened = " open" if what == "class" else ""
        yield f"<details{opened}><summary>worst first</summary>{_table(head, rows)}</details>"


def _rejects(manifest: Manifest) -> Iterable[str]:
    if not manifest.rejects:
        return
    yield f"<h2>Rejected: {len(manifest.rejects):,}</h2>"
    if len(manifest.rejects) > _SHOWN_REJECTS:
        yield f"<p>The first {_SHOWN_REJECTS:,}; all of them are in {MANIFEST}.</p>"
    yield '<div class="rejects">'
    for each in manifest.rejects[:_SHOWN_REJECTS]:
        picture = '<div class="none">no picture</div>'
        if each.picture:
            picture = f'<img src="{escape(quote(each.picture))}" alt="" loading="lazy">'
        about = f"{escape(each.class_name)}, {escape(each.subject)}"
        yield (
            f"<figure>{picture}<figcaption><b>{escape(each.source)}</b><br>{about}<br>"
            f"{escape(each.reason)}</figcaption></figure>"
        )
    yield "</div>"


def _statistics(statistics: pb.DatasetFeatureStatisticsList) -> Iterable[str]:
    yield "<h2>Statistics of all records</h2>"
    yield '<div class="charts">'
    for feature in statistics.datasets[0].features:
        name = feature.path.step[0]
        if name == "class":
            values = [(each.value, each.frequency) for each in feature.string_stats.top_values]
            yield _figure(bars(values), "class: records of each")
        elif name == "image":
            about = f"image: {feature.bytes_stats.avg_num_bytes:,.0f} bytes on average"
            yield _figure(histogram(feature.custom_stats[0].histogram), about)
        elif feature.WhichOneof("stats") == "num_stats" and name not in ("label", "splits"):
            found = feature.num_stats
            if found.min == found.max:
                yield _figure("", f"{name}: {found.min:.4g} in every record")
                continue
            about = (
                f"{name}: mean {found.mean:.4g}, standard deviation {found.std_dev:.4g}, "
                f"median {found.median:.4g}, {found.min:.4g} to {found.max:.4g}"
            )
            yield _figure(histogram(found.histograms[0]), about)
    yield "</div>"


def _digests(manifest: Manifest) -> Iterable[str]:
    yield "<h2>Digests</h2>"
    yield (
        f"<p>Records: <code>{escape(manifest.digest)}</code><br>"
        f"Folds: <code>{escape(manifest.fold_digest)}</code></p>"
        "<p>Equal digests of the records mean equal records; equal digests of the folds mean the "
        "same people in the same parts, whatever was rejected. "
        "<code>python -m pipelines.verify</code> recomputes both.</p>"
    )


def _class_counts(dataset: pb.DatasetFeatureStatistics) -> dict[str, int]:
    for feature in dataset.features:
        if feature.path.step[0] == "class":
            values = feature.string_stats.top_values
            return {each.value: int(each.frequency) for each in values}
    return {}


def _figure(drawing: str, about: str) -> str:
    return f"<figure>{drawing}<figcaption>{escape(about)}</figcaption></figure>"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Numbers to the right, with commas."""
    rows = list(rows)
    flush = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(head))]
    kinds = [' class="n"' if right else "" for right in flush]
    cells = "".join(
        f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, head, strict=True)
    )
    lines = [f"<tr>{cells}</tr>"]
    for row in rows:
        cells = "".join(
            f"<td{kind}>{escape(_shown(each))}</td>" for kind, each in zip(kinds, row, strict=True)
        )
        lines.append(f"<tr>{cells}</tr>")
    body = "\n".join(lines)
    return f'<div class="scroll"><table>\n{body}\n</table></div>'


def _is_number(value: object) -> bool:
    return isinstance(value, int) or value == ""


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
