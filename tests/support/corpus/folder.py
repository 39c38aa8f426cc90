"""The corpus in the layout of `images`: `<class>/<subject>_<anything>`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from . import EITHER, KEEP, REJECT, STRAY, Case
from .pictures import SOUND, SPARE, bombs, cut, flipped, foreign, saved, stored

CLASSES = ("fear", "neutral")
# Side of the image that is cut, small enough for a sensible number of cuts.
_CUT = {
    "png": 104,
    "jpg": 224,
    "progressive.jpg": 224,
    "webp": 320,
    "tif": 72,
    "gif": 144,
    "heic": 112,
    "avif": 224,
}
_FLIPS = 40
_HUGE = 8000


def cases(faces: Sequence[np.ndarray], seed: int = 0, huge: bool = True) -> list[Case]:
    """All of it. faces: uint8 (H,W,3), of which a detector finds every one. huge: with images
    as large as they may be."""
    rng = np.random.default_rng(seed)
    made = [
        *_sound(faces),
        *_named(faces),
        *_damaged(faces, rng),
        *_foreign(),
        *_links(faces),
        *(_huge(faces) if huge else ()),
    ]
    names = [case.name for case in made]
    if len(set(names)) != len(names):
        raise ValueError("two cases have the same name")
    return made


def _sound(faces: Sequence[np.ndarray]) -> Iterator[Case]:
    """Two of each of three people in every format, some under another's ending."""
    turn = itertools.cycle(faces)
    for person, name in itertools.product(("p0", "p1", "p2"), CLASSES):
        for number in range(2):
            yield Case("sound", f"{name}/{person}_{number}.png", KEEP, stored(next(turn), "png"))
    for ending in SOUND:
        face = next(turn)
        name = ending.replace(".", "-")
        itself = f"fear/p0_as-{name}.{ending.split('.')[-1]}"
        yield Case(f"sound {ending}", itself, KEEP, stored(face, ending))
        yield Case("wrong ending", f"fear/p1_as-{name}.bmp", KEEP, stored(face, ending))
        yield Case("wrong ending", f"fear/p2_as-{name}.JPG", KEEP, stored(face, ending))
    # The same bytes twice, under one class and under two.
    same = stored(faces[0], "jpg")
    for name in ("fear/p0_same-a.jpg", "fear/p0_same-b.jpg", "neutral/p1_same-c.jpg"):
        yield Case("duplicate", name, KEEP, same)
    trailing = stored(faces[1], "jpg") + b"\xff\xda\0\2" * 5000
    yield Case("sound", "fear/p2_with-more-behind-it.jpg", KEEP, trailing)


def _named(faces: Sequence[np.ndarray]) -> Iterator[Case]:
    """Sound images with troublesome names."""
    stems = [
        "مريم_١",
        "李明_一",
        "मीरा_१",
        "Ψυχή_α",
        "🙂_😱",
        "👩\u200d👩\u200d👧_\u200b",
        "é_composed",
        "e\u0301_combining",
        "z\u0335\u0336\u0337\u0338_marks",
        "\u202egnp_turned",
        "with blank _ and blank",
        "'quoted'_\"twice\"",
        "new\nline_\n",
        "tab\t_\r",
        "-rf_-",
        "--input=x_1",
        "_",
        "_no-subject",
        "a..b_..",
        "dot._.",
        "percent%s_%n{0}$(id)`id`;|&",
        "back\\slash_\\..\\x",
        "*_[?]",
        "<script>alert(1)</script>_<b>".replace("/", "∕"),
        "file:_x",
        "CON_1",
        "n" * 196 + "_1",
        "文" * 82 + "_1",
        "bell\a_\x1b[31m",
    ]
    turn = itertools.cycle(faces)
    for number, stem in enumerate(stems):
        yield Case("name", f"{CLASSES[number % 2]}/{stem}.png", KEEP, stored(next(turn), "png"))
    for folder in ("خوف", "-x", "two words", "new\nline", "🙂", "100%"):
        for person in ("p0", "p1"):
            name = f"{folder}/{person}_1.png"
            yield Case("name of a class", name, KEEP, stored(next(turn), "png"))
    for number, raw in enumerate((b"p0_\xe9.png", b"p\xff_1.png", b"p1_\xc3\x28.png")):
        name = os.fsdecode(b"fear/" + raw)
        yield Case("name not UTF-8", name, REJECT, stored(faces[number], "png"))
    yield Case("hidden", "fear/.p0_hidden.png", STRAY, stored(faces[0], "png"))
    yield Case("hidden", "fear/._p0_fork.png", STRAY, b"\0\5\x16\7")
    yield Case("not an image", "fear/p0_note.txt", STRAY, b"a note")
    yield Case("not an image", "fear/Thumbs.db", STRAY, b"\xd0\xcf\x11\xe0")
    yield Case("not an image", "faces.csv", STRAY, b"path,label,subject\n")


def _damaged(faces: Sequence[np.ndarray], rng: np.random.Generator) -> Iterator[Case]:
    for ending, side in _CUT.items():
        data, last = stored(faces[0], ending, side), ending.split(".")[-1]
        stem = f"p0_{ending.replace('.', '-')}"
        for length, short in cut(data):
            # The end mark of most formats may be missing; WebP and TIFF tell their length.
            spare = len(data) - length <= SPARE
            verdict = EITHER if spare else REJECT
            name = f"fear/{stem}-cut-{length:06d}.{last}"
            yield Case(f"cut {ending}", name, verdict, short)
        whole = stored(faces[1], ending)
        for number in range(_FLIPS):
            damaged = flipped(whole, rng, int(rng.integers(1, 9)))
            name = f"neutral/{stem}-flip-{number:03d}.{last}"
            yield Case(f"flip {ending}", name, EITHER, damaged)


def _foreign() -> Iterator[Case]:
    for kind, found in (("bomb", bombs()), ("not an image inside", foreign())):
        for name, data in found:
            # The stem has to be its own: it is the record's key.
            stem, ending = name.split(".")
            yield Case(kind, f"neutral/p1_{stem}-{ending}.{ending}", REJECT, data)


def _links(faces: Sequence[np.ndarray]) -> Iterator[Case]:
    yield Case("link inside", "fear/p1_link-inside.png", KEEP, link="p1_0.png")
    for number, target in enumerate(
        ("../../outside.png", "/etc/hostname", "/dev/zero", "/dev/tty", "/proc/self/mem")
    ):
        yield Case("link outside", f"fear/p1_link-out-{number}.png", REJECT, link=target)
    yield Case("link to a folder", "fear/p1_link-folder.png", REJECT, link="../neutral")
    yield Case("link to nothing", "fear/p1_link-dangling.png", REJECT, link="gone.png")
    yield Case("link in a circle", "fear/p1_link-circle.png", REJECT, link="p1_link-circle.png")
    yield Case("link in a circle", "fear/p1_link-a.png", REJECT, link="p1_link-b.png")
    yield Case("link in a circle", "fear/p1_link-b.png", REJECT, link="p1_link-a.png")
    yield Case("pipe", "fear/p1_pipe.png", REJECT, fifo=True)
    yield Case("folder", "fear/p1_folder.png", REJECT)
    yield Case("hole of 1 TB", "fear/p1_hole.png", REJECT, hole=2**40)
    yield Case("hole of 1 MB", "fear/p1_small-hole.jpg", REJECT, hole=2**20)
    yield Case("class outside", "elsewhere", STRAY, link="../elsewhere")
    yield Case("class in a circle", "round", STRAY, link=".")
    yield Case("class without an image", "bare/readme.txt", STRAY, b"nothing here")


def _huge(faces: Sequence[np.ndarray]) -> Iterator[Case]:
    """As large as may be: a face over the whole of 64 megapixels, and walls without one."""
    face = Image.fromarray(faces[0]).resize((_HUGE, _HUGE), Image.Resampling.BILINEAR)
    jpeg = saved(face, "JPEG", quality=50, progressive=True)
    yield Case("64 megapixels", "fear/p2_huge.jpg", KEEP, jpeg)
    del face
    for mode in ("L", "RGBA", "I;16"):
        data = saved(Image.new(mode, (_HUGE, _HUGE)), "PNG", compress_level=1)
        name = f"neutral/p2_wall-{mode.replace(';', '-')}.png"
        yield Case("64 megapixels", name, REJECT, data)
    strip = saved(Image.new("RGB", (60_000, 1), "#888888"), "PNG")
    yield Case("strip", "neutral/p2_strip.png", REJECT, strip)
    dot = saved(Image.new("RGB", (1, 1), "#888888"), "PNG")
    yield Case("dot", "neutral/p2_dot.png", REJECT, dot)
