"""The page: valid, whole, escaped, and the same again."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from pipelines.common.records import Finding, Reject
from pipelines.dataset import rejects
from pipelines.inspection import page
from tests.support.data_folders import build, some
from tests.support.inspection import mentions

VOID = {"meta", "img", "br", "link", "hr", "input"}
EVIL = "<script>alert(1)</script>&\"'"


class Reader(HTMLParser):
    """Notes what is opened and not closed, the pictures named, and the text that is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.tags, self.sources, self.text = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def made(demo_people, tmp_path_factory):
    """A data folder with a reject, something found that was not expected, and hostile names."""
    folder = tmp_path_factory.mktemp("page")
    database = some(demo_people)
    database = dataclasses.replace(
        database,
        findings=[Finding("sequences", 479, 480), Finding("people", 3)],
        rejects=[Reject(f"k{EVIL}", f"fear/{EVIL}.jpg", "fear", EVIL, f"reason {EVIL}")],
        notes=[f"a note {EVIL}"],
    )
    manifest = build(folder, database, lambda r: None if r.key == "fear/p001_01" else r)
    return folder, manifest, (folder / "index.html").read_text(encoding="utf-8")


def test_every_tag_is_closed_in_its_place(made):
    reader = Reader(made[2])
    assert not reader.open
    assert made[2].startswith("<!doctype html>")
    assert 'name="viewport"' in made[2]


def test_names_cannot_become_code(made):
    assert "script" not in Reader(made[2]).tags
    shown = "".join(Reader(made[2]).text)
    assert f"fear/{EVIL}.jpg" in shown
    assert f"reason {EVIL}" in shown


def test_every_picture_named_lies_beside_it(made):
    sources = Reader(made[2]).sources
    assert "contact_sheet.png" in sources and len(sources) == 2
    assert all((made[0] / unquote(source)).is_file() for source in sources)


def test_it_shows_counts_warnings_rejects_and_digests(made):
    manifest, text = made[1], Reader(made[2]).text
    assert mentions(text, 7, 5, 2)
    assert mentions(text, "Warning", "sequences", 479, 480)
    assert mentions(text, "Rejected", 2) and manifest.counts["rejected"] == 2
    for reject in rejects.read(made[0], manifest):
        assert reject.source in text and reject.reason in text
    assert manifest.digest in text and manifest.fold_digest in text


def test_it_states_whether_people_cross_the_splits(made):
    folder, manifest, text = made
    data = (folder / "statistics.pb").read_bytes()
    statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(data)
    official = dataclasses.replace(manifest, subject_independent=False)
    rejected = list(rejects.read(folder, manifest))
    changed = set(Reader(page.render(official, statistics, rejected)).text) - set(Reader(text).text)
    assert len(changed) == 1 and mentions(changed, manifest.fold_rule, "split")


def test_the_same_manifest_and_statistics_give_the_same_page(made):
    folder, manifest, text = made
    data = (folder / "statistics.pb").read_bytes()
    statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(data)
    assert page.render(manifest, statistics, list(rejects.read(folder, manifest))) == text


def test_classes_by_folds_are_the_records(made):
    # fear: p000 and p002 are left; fold 0 tests p000 and trains on p002.
    row = made[2].split("<td>fear</td>")[1].split("</tr>")[0]
    numbers = [part.split("<")[0] for part in row.split('class="n">')[1:]]
    assert numbers[:4] == ["2", "1", "0", "1"]


def test_bars_are_as_high_as_their_counts(made):
    assert [bar.share for bar in page.bars([("a", 10), ("b", 5), ("c", 0)])] == [1, 0.5, 0]
    assert page.bars([("a", 0)]) == [("a", 0, 0)] and page.bars([]) == []
    # happiness: 3 records; fear: 2, since one is rejected.
    widths = re.findall(r'<i style="width:([\d.]+)%"></i>(\d+)', made[2])
    assert [int(count) for _, count in widths] == sorted((2, 3), reverse=True)
    assert float(widths[1][0]) == pytest.approx(float(widths[0][0]) * 2 / 3, abs=0.1)
