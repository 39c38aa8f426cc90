"""Small drawings of counts, as SVG inside a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tensorflow_metadata.proto.v0 import statistics_pb2 as pb

_WIDTH, _HEIGHT, _TEXT = 300, 110, 12
_ROW = 18


def histogram(found: pb.Histogram) -> str:
    """Upright bars of a histogram's buckets, with its ends and the fullest bucket's count."""
    buckets = list(found.buckets)
    if not buckets:
        return _svg(_HEIGHT, f'<text x="4" y="{_HEIGHT // 2}">no values</text>')
    most = max(each.sample_count for each in buckets) or 1
    base, width = _HEIGHT - _TEXT - 6, _WIDTH / len(buckets)
    shapes = []
    for index, each in enumerate(buckets):
        height = each.sample_count / most * (base - _TEXT - 6)
        shapes.append(
            f'<rect x="{index * width + 1:.1f}" y="{base - height:.1f}" width="{width - 2:.1f}" '
            f'height="{height:.1f}" fill="#3b82c4"><title>{each.low_value:.4g} to '
            f"{each.high_value:.4g}: {each.sample_count:,.0f}</title></rect>"
        )
    shapes.append(f'<line x1="0" x2="{_WIDTH}" y1="{base}" y2="{base}" stroke="currentColor"/>')
    shapes.append(f'<text x="0" y="{_TEXT}">{most:,.0f} in the fullest</text>')
    shapes.append(f'<text x="0" y="{_HEIGHT - 3}">{buckets[0].low_value:.4g}</text>')
    right = f"{buckets[-1].high_value:.4g}"
    shapes.append(f'<text x="{_WIDTH}" y="{_HEIGHT - 3}" text-anchor="end">{right}</text>')
    return _svg(_HEIGHT, "".join(shapes))


def bars(values: Sequence[tuple[str, float]]) -> str:
    """One lying bar a name, with its count."""
    most = max((count for _, count in values), default=1) or 1
    shapes = []
    for index, (name, count) in enumerate(values):
        y = index * _ROW
        shapes.append(
            f'<rect x="110" y="{y + 3}" width="{count / most * 140:.1f}" height="{_ROW - 6}" '
            f'fill="#3b82c4"/><text x="104" y="{y + 13}" text-anchor="end">'
            f"{escape(name[:16])}</text>"
            f'<text x="{114 + count / most * 140:.1f}" y="{y + 13}">{count:,.0f}</text>'
        )
    return _svg(max(1, len(values)) * _ROW, "".join(shapes))


def _svg(height: int, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-size="{_TEXT}" role="img">{content}</svg>'
    )
