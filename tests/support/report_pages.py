"""Reads a report's page: text, anchors, references and figures; fails on tags that do not match."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """words: texts. references: every src and href. figures: (number, value, text) of each `data`
    element. loose: texts of numeric cells outside of them, labels (`span.i`) apart."""

    EMPTY = frozenset({"meta", "img", "br"})
    DRAWN = frozenset({"path", "g"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict]] = []
        self.words, self.references, self.ids, self.loose = [], [], [], []
        self.figures: list[tuple[int, str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.references += [values[name] for name in ("src", "href") if name in values]
        self.ids += [values["id"]] if "id" in values else []
        if tag == "data":
            self.figures.append((int(values["data-figure"]), values["value"], ""))
        if tag not in self.EMPTY:
            self.open.append((tag, values))

    def handle_startendtag(self, tag, attrs):
        assert tag in self.DRAWN

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.words.append(data)
        tags = [tag for tag, _ in self.open]
        if "data" in tags:
            number, value, text = self.figures[-1]
            self.figures[-1] = (number, value, text + data)
        elif "td" in tags:
            cell = next(values for tag, values in self.open if tag == "td")
            label = any(tag == "span" and v.get("class") == "i" for tag, v in self.open)
            if cell.get("class") in ("n", "c") and not label:
                self.loose.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def resolve(document: object, pointer: str) -> object:
    """What a JSON pointer (RFC 6901) leads to."""
    for key in pointer.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document
