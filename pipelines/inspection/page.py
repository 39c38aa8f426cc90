"""Renders `index.html`, the page to look at before training; it needs no network and no script.

Images lie beside it. The template escapes everything that came from a file name or a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

from pipelines.common.records import Reject
from pipelines.common.roles import PARTS
from pipelines.common.subjects import stated
from pipelines.dataset import rejects
from pipelines.dataset.manifest import Manifest, fold_folder
from pipelines.dataset.subjects import counted, named, promise
from pipelines.inspection import contact_sheet

NAME = "index.html"
_SHOWN_REJECTS = 1000


class Bar(NamedTuple):
    """One bar of a chart. share: 0…1 of the longest bar."""

    name: str
    count: int
    share: float


def render(
    manifest: Manifest,
    statistics: pb.DatasetFeatureStatisticsList,
    rejected: Sequence[Reject] = (),
) -> str:
    """The page. It depends on nothing but the manifest's contents that are known before the files
    are written, so that it is the same before and after. rejected: all rejects; it shows the
    first ones."""
    environment = Environment(
        loader=PackageLoader("pipelines.inspection"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"quote": quote, "shown": _shown}
    features = {each.path.step[0]: each for each in statistics.datasets[0].features}
    classes = features["class"].string_stats.top_values if features else []
    return environment.get_template("page.html").render(
        manifest=manifest,
        rejects_name=rejects.NAME,
        rejected=rejected[:_SHOWN_REJECTS],
        counts=manifest.counts,
        findings=[
            (f.name, f.found, f.expected if f.expected != -1 else "") for f in manifest.findings
        ],
        classes=_classes(manifest, statistics),
        contact_sheet=contact_sheet.NAME,
        subjects=stated(*counted(manifest)),
        promise=promise(manifest),
        all_losses=[
            _losses(manifest, "class", "Classes"),
            *([_losses(manifest, "subject", "Subjects")] if named(manifest) else []),
        ],
        shown_rejects=_SHOWN_REJECTS,
        class_bars=bars((each.value, each.frequency) for each in classes),
        charts=list(_charts(features.values())),
    )


def bars(counts: Iterable[tuple[str, float]]) -> list[Bar]:
    """Bars of (name, count) pairs."""
    counts = [(name, int(count)) for name, count in counts]
    most = max((count for _, count in counts), default=0) or 1
    return [Bar(name, count, count / most) for name, count in counts]


def _classes(manifest: Manifest, statistics: pb.DatasetFeatureStatisticsList) -> dict[str, Any]:
    """Records of each class, in all and in every part of every fold, with their sums."""
    found = {
        dataset.name: {
            each.value: int(each.frequency)
            for feature in dataset.features
            if feature.path.step[0] == "class"
            for each in feature.string_stats.top_values
        }
        for dataset in statistics.datasets
    }
    parts = [(fold, part) for fold in range(manifest.folds) for part in PARTS]
    columns = [found["all"], *(found[f"{fold_folder(fold)}/{part}"] for fold, part in parts)]
    rows = [[name, *(column.get(name, 0) for column in columns)] for name in manifest.classes]
    rows.append(["sum", *(sum(column.values()) for column in columns)])
    return {"head": ["class", "all", *(f"{fold} {part}" for fold, part in parts)], "rows": rows}


def _losses(manifest: Manifest, what: str, title: str) -> dict[str, Any]:
    found = manifest.losses(what)
    return {
        "title": title,
        "lossy": sum(each.rejected > 0 for each in found),
        "head": (what, *found[0]._fields[1:]) if found else (),
        "rows": [(each.name or "(none)", *each[1:4], f"{each.share:.1%}") for each in found],
    }


def _charts(features: Iterable[pb.FeatureNameStatistics]) -> Iterator[dict[str, Any]]:
    """A histogram of the images' sizes and one of every number that varies."""
    for feature in features:
        name, stats = feature.path.step[0], feature.num_stats
        if name == "image":
            about = f"image: {feature.bytes_stats.avg_num_bytes:,.0f} bytes on average"
            yield _histogram(about, feature.custom_stats[0].histogram.buckets)
        elif feature.WhichOneof("stats") != "num_stats" or name in ("label", "splits"):
            continue
        elif stats.min == stats.max:
            yield _histogram(f"{name}: {stats.min:.4g} in every record", [])
        else:
            about = (
                f"{name}: mean {stats.mean:.4g}, standard deviation {stats.std_dev:.4g}, "
                f"median {stats.median:.4g}, {stats.min:.4g} to {stats.max:.4g}"
            )
            yield _histogram(about, stats.histograms[0].buckets)


def _histogram(about: str, buckets: Sequence[pb.Histogram.Bucket]) -> dict[str, Any]:
    counts = [(f"{b.low_value:.4g} to {b.high_value:.4g}", b.sample_count) for b in buckets]
    ends = [f"{buckets[0].low_value:.4g}", f"{buckets[-1].high_value:.4g}"] if buckets else []
    return {"about": about, "bars": bars(counts), "ends": ends}


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
