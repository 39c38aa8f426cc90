"""Alignment beside the usual way with dlib, per core: time, faces found, landmarks.

    python -m benchmarks.alignment [--photos DIR] [--subjects 12] [--seed 8]

The usual way: the detector on the whole colour picture upsampled once, 68 points, the chip of
`get_face_chip`. Pictures are 640×480: rendered people within ±30° at several sizes, and the
photographs of `--photos` (any folder of pictures with one face each). Both ways take turns,
picture by picture, in one process; times are the process's own, so that others on the machine
change neither much. The job as a whole is `benchmarks.job`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import textwrap
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.machine import heading
from benchmarks.ways import TimedAligner, UsualWay, rms_share
from pipelines.common.errors import BadUse, command
from pipelines.demo_faces import render_database
from pipelines.faces.alignment import AlignedFace, FaceAligner, NoFaceFound
from pipelines.media import images

WIDTH, HEIGHT = 640, 480
# Sides of the rendered pictures; the detector's box is a little over half as wide.
SIDES = (480, 400, 320, 240, 160)
EXPECTED = """\
goal: at least 10 times faster, as many faces found, landmarks within 1.5 % of the eye distance
expected beforehand: 8 ms against 100 (1 for gray and the copy of 250, 3 to search it, 2 for the
close look, 1 for landmarks, 0.5 for the chip), so 12 times in colour and 10 in gray; 6 times
where the copy of 360 finds the face; 3 times for faces under a sixth of the width, which only
full size finds; the same box, hence the same chip, in four of five"""


@dataclass
class Tally:
    """What one set of pictures gave; seconds by way, one entry a picture."""

    usual: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    found_usual: int = 0
    found_ours: int = 0
    differences: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    scales: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def onto_canvas(face: np.ndarray, side: int, number: int) -> np.ndarray:
    """A square picture (S,S,3), `side` wide, somewhere on a 640×480 canvas of its corner's
    colour."""
    random = np.random.default_rng(number)
    canvas = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    canvas[:] = face[0, 0]
    x, y = random.integers(0, WIDTH - side + 1), random.integers(0, HEIGHT - side + 1)
    canvas[y : y + side, x : x + side] = images.resize(face, side, side)
    return canvas


def fitted(photo: np.ndarray) -> np.ndarray:
    """A photograph as 640×480: scaled to fit, its borders repeated."""
    height, width = photo.shape[:2]
    factor = min(WIDTH / width, HEIGHT / height)
    width, height = round(width * factor), round(height * factor)
    small = images.resize(photo, height, width)
    left, top = (WIDTH - width) // 2, (HEIGHT - height) // 2
    sides = (top, HEIGHT - height - top), (left, WIDTH - width - left)
    return np.pad(small, [*sides, *[(0, 0)] * (small.ndim - 2)], mode="edge")


def compare(
    pictures: list[Callable[[], np.ndarray]], usual: UsualWay, ours: TimedAligner, name: str
) -> Tally:
    """Both ways on every picture, in turn, each first in every other."""
    tally = Tally()
    for i, make in enumerate(tqdm(pictures, desc=name, unit="picture", leave=False)):
        image = np.ascontiguousarray(make())
        answers: dict[str, tuple] = {}
        for way in ("usual", "ours") if i % 2 else ("ours", "usual"):
            started = time.process_time()
            answer = usual.align(image) if way == "usual" else _aligned(ours, image)
            answers[way] = time.process_time() - started, answer
        (seconds, theirs), (own_seconds, face) = answers["usual"], answers["ours"]
        tally.usual.append(seconds)
        tally.ours.append(own_seconds)
        tally.found_usual += theirs is not None
        tally.found_ours += face is not None
        if face is not None:
            tally.scales[face.scale] += 1
        if theirs is not None and face is not None:
            box, points, _ = theirs
            tally.differences.append(rms_share(face.landmarks, points))
            beside = (box[0] + 1, box[1], box[2] + 1, box[3])
            tally.floors.append(rms_share(usual.landmarks(image, beside), points))
    return tally


def merged(tallies: list[Tally]) -> Tally:
    """Several sets as one."""
    whole = Tally()
    for tally in tallies:
        whole.usual += tally.usual
        whole.ours += tally.ours
        whole.found_usual += tally.found_usual
        whole.found_ours += tally.found_ours
        whole.differences += tally.differences
        whole.floors += tally.floors
        for scale, count in tally.scales.items():
            whole.scales[scale] += count
    return whole


HEAD = """\
                            found    median ms  times faster  landmarks differ, %       usual's
pictures              n usual ours usual  ours   sums median  mean median    all  same   moved"""
FOOT = """\
times faster: all pictures' time by all pictures' time, and the median of the pictures' ratios
differ: RMS over the 68 points in % of the eye distance, mean and median over the pictures and
RMS over all; same: pictures with identical landmarks, hence the same chip; usual's moved: the
usual way beside itself, its box moved by one pixel, mean: how exactly its landmarks are defined"""


def line(name: str, tally: Tally) -> str:
    """One row of the table; `HEAD` names its columns."""
    usual, ours = np.array(tally.usual), np.array(tally.ours)
    # A set in which nothing was found by both has no difference to show.
    differences = 100 * np.array(tally.differences or [np.nan])
    floors = 100 * np.array(tally.floors or [np.nan])
    return (
        f"{name:<18} {len(usual):>4} {tally.found_usual:>5} {tally.found_ours:>4} "
        f"{1000 * np.median(usual):>5.1f} {1000 * np.median(ours):>5.1f} "
        f"{usual.sum() / ours.sum():>6.1f} {np.median(usual / ours):>6.1f} "
        f"{differences.mean():>5.2f} {np.median(differences):>6.2f} "
        f"{np.sqrt((differences**2).mean()):>6.2f} {(differences == 0).mean():>5.0%} "
        f"{floors.mean():>7.2f}"
    )


@command
def main(argv: list[str] | None = None) -> int:
    """Renders, measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alignment", description="Alignment beside the usual way."
    )
    parser.add_argument("--photos", type=Path, help="a folder of photographs, one face each")
    parser.add_argument("--subjects", type=int, default=12, help="rendered people (12)")
    parser.add_argument("--seed", type=int, default=8)
    options = parser.parse_args(argv)
    print(heading("benchmarks.alignment", argv))
    print(EXPECTED)
    photos = _photographs(options.photos)
    ours = TimedAligner()
    usual = UsualWay(ours.model)
    rows: list[tuple[str, Tally]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "people")
        render_database(
            folder, options.subjects, options.seed, frames=3, size=480, pose=30, light=True
        )
        faces = sorted(folder.glob("*/*.png"))
        for k, side in enumerate(SIDES):
            chosen = [
                (lambda path=path, side=side, i=i: onto_canvas(images.read(path), side, i))
                for i, path in enumerate(faces)
                if i % len(SIDES) == k
            ]
            rows.append((f"rendered, {side} px", compare(chosen, usual, ours, f"rendered {side}")))
    rows.append(("rendered, all", merged([tally for _, tally in rows])))
    colour = [(lambda path=path: fitted(images.read(path))) for path in photos]
    gray = [(lambda path=path: fitted(images.to_gray(images.read(path)))) for path in photos]
    shares = dict(ours.seconds)
    if photos:
        ours.seconds.clear()
        rows.append(("photographs", compare(colour, usual, ours, "photographs")))
        shares = dict(ours.seconds)
        rows.append(("photographs, gray", compare(gray, usual, ours, "gray")))
    print(HEAD)
    for name, tally in rows:
        print(line(name, tally))
    print(FOOT)
    found = "; ".join(f"{name}: {_counts(tally.scales)}" for name, tally in rows)
    print(textwrap.fill(f"found at: {found}", 96))
    total = sum(shares.values())
    stages = sorted(shares.items(), key=lambda pair: -pair[1])
    where = "the photographs" if photos else "the rendered people"
    print(f"where our time goes, on {where}: ", end="")
    print(", ".join(f"{name} {seconds / total:.0%}" for name, seconds in stages))
    if not photos:
        print("photographs: skipped, for no --photos DIR was given")
    return 0


def _counts(scales: dict[str, int]) -> str:
    return ", ".join(f"{scale} {count}" for scale, count in scales.items())


def _photographs(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    found = [path for path in sorted(folder.rglob("*")) if images.looks_like_image(path)]
    if not found:
        raise BadUse(f"{folder} holds no photograph; --photos takes a folder of pictures")
    return found


def _aligned(aligner: FaceAligner, image: np.ndarray) -> AlignedFace | None:
    try:
        return aligner.align(image)
    except NoFaceFound:
        return None


if __name__ == "__main__":
    sys.exit(main())
