"""Commands print on any console, and end by a sentence."""

from __future__ import annotations

import io
import sys

import pytest

from pipelines.common.errors import FailedWork, command


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("ascii", "80.6 ± 2.1 → 48×48 … naïve 漢", b"80.6 +- 2.1 -> 48x48 ... naive ?\n"),
        ("latin-1", "2.1 ± 0.3 → é", b"2.1 \xb1 0.3 -> \xe9\n"),
        ("utf-8", "2.1 ± 0.3 → é", "2.1 ± 0.3 → é\n".encode()),
        ("utf-8", "name\udcff.png", b"name?.png\n"),
    ],
)
def test_a_console_of_few_signs_shows_the_nearest(encoding, text, shown, monkeypatch):
    outputs = {name: io.TextIOWrapper(io.BytesIO(), encoding) for name in ("stdout", "stderr")}
    for name, stream in outputs.items():
        monkeypatch.setattr(sys, name, stream)

    @command
    def main(argv=None):
        print(text)

    assert main() == 0
    outputs["stdout"].flush()
    assert outputs["stdout"].buffer.getvalue() == shown


def test_an_error_of_any_text_is_one_line_on_an_ascii_console(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stderr", stream)

    @command
    def main(argv=None):
        raise FailedWork("Größe 48×48")

    assert main() == 1
    stream.flush()
    assert stream.buffer.getvalue() == b"error: Groe 48x48\n".replace(b"Groe", b"Gro?e")
