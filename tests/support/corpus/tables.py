"""CSV files of which single rows, and ones of which everything, is wrong."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from . import EITHER, KEEP, REJECT, Case
from .pictures import stored

NAME = "table.csv"
HEAD = ("path", "label", "subject", "role", "left", "top", "right", "bottom")


def files(faces: Sequence[np.ndarray]) -> list[Case]:
    """The images that the rows name, and what else lies beside the table."""
    turn = itertools.cycle(faces)
    names = [f"pics/{n:03d}.png" for n in range(64)]
    names += ["pics/a,b.png", 'pics/"q".png', "pics/new\nline.png", "pics/خوف.png"]
    found = [Case("image", name, KEEP, stored(next(turn), "png")) for name in names]
    return [
        *found,
        Case("link", "pics/out.png", REJECT, link="../../outside.png"),
        Case("link", "pics/up", REJECT, link="../.."),
        Case("link", "pics/zero.png", REJECT, link="/dev/zero"),
        Case("link", "pics/circle.png", REJECT, link="circle.png"),
        Case("pipe", "pics/pipe.png", REJECT, fifo=True),
        Case("folder", "pics/folder.png", REJECT),
        Case("hole", "pics/hole.png", REJECT, hole=2**40),
    ]


def rows(outside: str) -> tuple[bytes, dict[Case, int]]:
    """The table, and its rows with the last line of each, counted from 1.

    outside: the full path of a sound image outside its folder.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    made = {}
    for kind, verdict, cells in _rows(outside):
        writer.writerow(cells)
        # A row that repeats another has no record of its own.
        name = ("again " if kind == "row again" else "") + cells[0].strip()
        line = text.getvalue().count("\n")
        # The data tell rows of one path apart.
        made[Case(kind, name, verdict, data=b"%d" % line)] = line
    return text.getvalue().encode("utf-8-sig"), made


def _rows(outside: str) -> Iterator[tuple[str, str, list[str]]]:
    """Kind, verdict and cells of each row; no two take the same image unless that is meant."""
    images = (f"pics/{n:03d}.png" for n in range(64))

    def row(label: str = "fear", subject: str = "p0", *rest: str, path: str = "") -> list[str]:
        return [path or next(images), label, subject, *rest]

    for subject, label in itertools.product(("p0", "p1", "p2"), ("fear", "neutral")):
        yield "sound", KEEP, row(label, subject)
    for path in ("pics/a,b.png", 'pics/"q".png', "pics/new\nline.png", "pics/خوف.png"):
        yield "name", KEEP, row(path=path)
    for role in ("train", "TEST", "Both", " train ", "valid"):
        yield "role", KEEP, row("fear", "p1", role)
    for role in ("none", "1", "trainn", "test\n", "ЅТ", "t" * 10_000):
        yield "role", KEEP if role.strip() == "test" else REJECT, row("fear", "p1", role)
    yield "blanks around", KEEP, row(" fear ", "\tp0 ", path=f" {next(images)} ")
    yield "more cells", KEEP, row("fear", "p0", "", "", "", "", "", "more", "and more")
    yield "fewer cells", REJECT, ["pics/few.png"]
    for empty in ("", "   ", "\t", "\n"):
        yield "empty path", REJECT, [empty, "fear", "p0"]
        yield "empty label", REJECT, row(empty, "p0")
        yield "empty subject", KEEP, row("fear", empty)
    for path in (
        "../outside.png",
        "pics/../../outside.png",
        "pics/up/outside.png",
        "pics/out.png",
        "./" * 3000 + "../outside.png",
        outside,
        "/etc/passwd",
        "/dev/zero",
        "/dev/stdin",
        "pics/zero.png",
    ):
        yield "path leads out", REJECT, row(path=path)
    for path in (
        "pics/gone.png",
        "pics",
        ".",
        "/",
        "..",
        "pics/folder.png",
        "pics/pipe.png",
        "pics/circle.png",
        "pics/hole.png",
        NAME,
        "pics/\0.png",
        "pics/000.png\0.jpg",
        "pics\\000.png",
        "PICS/000.PNG",
        "pics/" + "n" * 300 + ".png",
        "d/" * 5000 + "x.png",
        "https://127.0.0.1/000.png",
        "file:///etc/passwd",
        "~/000.png",
        "$HOME/000.png",
        "*.png",
    ):
        yield "no such image", REJECT, row(path=path)
    for box in (
        ("a", "b", "c", "d"),
        ("10", "10", "100", ""),
        ("", "", "", "5"),
        ("nan", "0", "100", "100"),
        ("inf", "0", "100", "100"),
        ("100", "100", "10", "10"),
        ("10", "10", "10", "10"),
        ("0", "0", str(2**31), "9"),
        ("0", "0", "9" * 5000, "9"),
        ("0x10", "0", "100", "100"),
        ("-" + "9" * 30, "0", "100", "100"),
    ):
        yield "box", REJECT, row("fear", "p2", "", *box)
    for box in (
        ("-50", "-50", "-10", "-10"),
        ("1000", "1000", "1100", "1100"),
        ("0", "0", "1", "1"),
        ("1.5", "2", "100", "100"),
        (str(-(2**31) + 1), str(-(2**31) + 1), str(2**31 - 1), str(2**31 - 1)),
        ("0", "0", str(2**31 - 1), "1"),
        ("٣", "٣", "١٠٠", "١٠٠"),
    ):
        yield "box beside the face", EITHER, row("fear", "p2", "", *box)
    yield "box", KEEP, row("fear", "p2", "", "30", "40", "160", "170")
    for label, subject in (
        ("l" * 10_000, "p0"),
        ("l" * 10_000, "p1"),
        ("fear", "s" * 10_000),
        ("a\0b", "p\0"),
        ("a\0b", "p0"),
        ("é\n", "p1"),
        ("é\n", "p2"),
    ):
        yield "odd label or subject", EITHER, row(label, subject)
    again = row()
    yield "row twice", KEEP, again
    yield "row again", REJECT, again
    one = row("fear", "p0")
    for label, subject in (("fear", "p0"), ("neutral", "p0"), ("fear", "p1")):
        yield "rows that contradict", REJECT, row(label, subject, path=one[0])


def broken() -> Iterator[tuple[str, bytes]]:
    """Whole tables that cannot be used, each by name: exit code 1 or 2 and one sentence."""
    head, two = "path,label,subject,fold\n", [("a.png", "fear", "p0"), ("b.png", "neutral", "p1")]

    def folds(*values: str) -> bytes:
        lines = (f"{','.join(row)},{fold}\n" for row, fold in zip(two, values, strict=True))
        return (head + "".join(lines)).encode()

    yield "empty", b""
    yield "blank lines", b"\n\n\n"
    yield "head alone", head.encode()
    yield "no head", b"a.png,fear,p0\nb.png,neutral,p1\n"
    yield "column missing", b"path,label\na.png,fear\n"
    yield "column twice", b"path,label,label,subject\na.png,fear,fear,p0\n"
    yield "semicolons", b"path;label;subject\na.png;fear;p0\n"
    yield "zeros", bytes(1000)
    yield "an image", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
    yield "UTF-16", (head + "a.png,fear,p0,0\n").encode("utf-16")
    yield "Latin-1", (head + "a.png,wütend,p0,0\n").encode("latin-1")
    yield "half a character", head.encode() + b"a.png,\xed\xa0\x80,p0,0\n"
    yield "a cell of 1 MB", head.encode() + b"a" * 2**20 + b",fear,p0,0\n"
    yield "a quote that never ends", head.encode() + b'"a.png,fear,p0,0\n' * 2
    yield "100,000 columns", b",".join(b"c%d" % n for n in range(100_000)) + b"\n1\n"
    yield "one class", (head + "a.png,fear,p0,0\nb.png,fear,p1,1\n").encode()
    yield "one subject", b"path,label,subject\na.png,fear,p0\nb.png,neutral,p0\n"
    yield "no image there", b"path,label,subject\na.png,fear,p0\nb.png,neutral,p1\n"
    yield "all lead out", b"path,label,subject\n../a.png,fear,p0\n/b.png,neutral,p1\n"
    yield "fold of letters", folds("x", "y")
    yield "fold below 0", folds("-1", "0")
    yield "fold of a float", folds("0.0", "1.0")
    yield "fold not a number", folds("nan", "inf")
    yield "a gap between folds", folds("0", "2")
    yield "a fold of 30 digits", folds("0", "9" * 30)
    yield "a fold of 10,000 digits", folds("0", "9" * 10_000)
    yield "one fold", folds("0", "0")
    yield "a row without a fold", folds("0", "")
    yield (
        "a subject in two folds",
        (head + "a.png,fear,p0,0\nb.png,neutral,p0,1\nc.png,fear,p1,0\n").encode(),
    )
