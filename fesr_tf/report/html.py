"""The page's parts as HTML: sections, tables, notes. Everything from a file is escaped here, or
comes from `book`, which has escaped it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

STYLE = """
:root{color-scheme:light dark;--line:#8885;--soft:#8881;--faint:#767676;--accent:#0072b2}
@media (prefers-color-scheme:dark){:root{--faint:#9a9a9a;--accent:#56b4e9}}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,sans-serif;margin:0 auto;max-width:68rem;padding:0 1rem 4rem;
 overflow-wrap:break-word}
h1{font-size:1.7rem;line-height:1.2;margin:1.4rem 0 .4rem}
h2{font-size:1.35rem;margin:3rem 0 .6rem;padding-top:.8rem;border-top:1px solid var(--line)}
h3{font-size:1.08rem;margin:1.6rem 0 .3rem}
p,ul{max-width:46rem}
a{color:var(--accent)}a:focus-visible,summary:focus-visible,.wide:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
nav ul{columns:14rem;padding-left:1.2rem;margin:.6rem 0}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
.wide{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.93rem}
caption{text-align:left;color:var(--faint);font-size:.88rem;padding:.2rem 0}
th,td{padding:.22rem .8rem .22rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right}td.n{white-space:nowrap}th.n{vertical-align:bottom}td.c,th.c{text-align:center;min-width:2.4rem;padding:.22rem .35rem}
tbody th{min-width:7.5rem}.matrix th{font-weight:normal;min-width:0}
.i{color:var(--faint);white-space:nowrap}.none{color:var(--faint);font-style:italic}
.warn ul{padding-left:1.1rem;margin:.4rem 0}.warn{border-left:4px solid #d98200;padding:.1rem 0 .1rem .7rem}
.note{color:var(--faint);font-size:.92rem}
code,pre{font:.85em/1.5 ui-monospace,monospace;background:var(--soft);border-radius:3px}
code{padding:.1rem .25rem;overflow-wrap:anywhere}pre{padding:.6rem;overflow-x:auto}
figure{margin:1rem 0;max-width:100%}figcaption{font-size:.88rem;color:var(--faint);max-width:46rem}
img{max-width:100%;height:auto;display:block;background:#fff}
svg{max-width:100%;height:auto;display:block}svg text{fill:currentColor;font:11px system-ui,sans-serif}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(19rem,100%),1fr));gap:.6rem 1.4rem}
.charts figure{margin:0}.big{max-width:42rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;font-size:.9rem}
.legend svg{display:inline;vertical-align:middle;margin-right:.35rem}
summary{cursor:pointer;font-weight:600;padding:.25rem 0}
@media print{details:not([open])>*{display:block}nav{display:none}}
"""  # noqa: E501


class Section(NamedTuple):
    """A part of the page: its anchor, its title, its HTML."""

    anchor: str
    title: str
    body: str


class Raw(str):
    """Text that is HTML already."""


def safe(value: object) -> str:
    """HTML of a cell: `Raw` as it is, anything else escaped."""
    return value if isinstance(value, Raw) else escape(str(value))


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `kind` is a class of the style: warn, note, none."""
    return f'<p class="{kind}">{safe(text)}</p>' if kind else f"<p>{safe(text)}</p>"


def bullets(texts: Iterable[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{safe(text)}</li>" for text in texts) + "</ul>"


def heading(text: str) -> str:
    """A heading inside a section."""
    return f"<h3>{safe(text)}</h3>"


def details(summary: str, body: str, opened: bool = False) -> str:
    """What a reader may open."""
    state = " open" if opened else ""
    return f"<details{state}><summary>{safe(summary)}</summary>{body}</details>"


def table(
    head: Sequence[str] | None,
    rows: Iterable[Sequence[object]],
    numbers: Iterable[int] = (),
    caption: str = "",
    name: str = "",
) -> str:
    """A table that scrolls by itself. numbers: the columns of figures, to the right; the first
    cell of a row is its heading. name: what it is called where a heading above says so already
    and it has no caption."""
    right = set(numbers)

    def cell(index: int, value: object, top: bool) -> str:
        tag = "th" if top or index == 0 else "td"
        scope = ' scope="col"' if top else ' scope="row"' if index == 0 else ""
        side = ' class="n"' if index in right else ""
        return f"<{tag}{scope}{side}>{safe(value)}</{tag}>"

    def line(values: Sequence[object], top: bool = False) -> str:
        return "<tr>" + "".join(cell(i, each, top) for i, each in enumerate(values)) + "</tr>"

    title = f"<caption>{safe(caption)}</caption>" if caption else ""
    above = f"<thead>{line(head, top=True)}</thead>" if head else ""
    body = "\n".join(line(row) for row in rows)
    whole = f"<table>{title}{above}<tbody>\n{body}\n</tbody></table>"
    return scrolling(whole, caption or name)


def scrolling(body: str, name: str = "") -> str:
    """What is wide scrolls inside itself, by the keyboard too."""
    label = escape(name or "a table")
    return f'<div class="wide" tabindex="0" role="region" aria-label="{label}">{body}</div>'


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole document: no script, no reference outside."""
    listed = "".join(
        f'<li><a href="#{each.anchor}">{escape(each.title)}</a></li>' for each in sections
    )
    parts = "\n".join(
        f'<section id="{each.anchor}"><h2>{escape(each.title)}</h2>\n{each.body}\n</section>'
        for each in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>"
        f'<a class="skip" href="#{sections[0].anchor}">To the results</a>'
        f"<header><h1>{escape(title)}</h1>{lead}</header>"
        f'<nav aria-label="Contents"><ul>{listed}</ul></nav>\n<main>\n{parts}\n</main>'
        "</body></html>\n"
    )
