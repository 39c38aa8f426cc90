"""Alignment against dlib's customary use, per core: time, faces found, landmarks.

    python -m benchmarks.alignment [--photos DIR] [--subjects 12] [--seed 8]

The customary use: the detector on the whole colour image upsampled once, 68 landmarks,
`get_face_chip`. Images are 640×480: rendered people within ±30° at several sizes, and those of
`--photos` (any folder of images with one face each). Both aligners take turns, image by image, in
one process; times are the process's own, so that other load on the machine changes neither much.
`benchmarks.alignment.job` measures the whole job.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.alignment.aligners import (
    HEIGHT,
    WIDTH,
    TimedAligner,
    UsualAligner,
    onto_canvas,
    rms_share,
)
from benchmarks.heading import heading, parser
from pipelines.common.errors import BadUse, command
from pipelines.common.text import table
from pipelines.demo_faces import render_database
from pipelines.faces.alignment import NoFaceFound
from pipelines.media import images

# Sides of the rendered images; the detector's box is a little over half as wide.
SIDES = (480, 400, 320, 240, 160)
EXPECTED = """\
goal: at least 10 times faster, as many faces found, landmarks within 1.5 % of the eye distance
expected beforehand: 8 ms against 100 (1 for gray and the copy of 250, 3 to search it, 2 for the
close look, 1 for landmarks, 0.5 for the chip), so 12 times in colour and 10 in gray; 6 times
where the copy of 360 finds the face; 3 times for faces under a sixth of the width, which only
full size finds; the same box, hence the same chip, in four of five"""
HEAD = ("images", "n", "usual found", "ours", "usual ms", "ours", "faster", "median", "differ %",
        "median", "RMS", "same", "moved")  # fmt: skip
FOOT = """\
ms: medians; faster: the time of all images over that of all images, and the median of the ratios
differ: RMS over the 68 landmarks in % of the eye distance, mean and median over the images and
RMS over all; same: images with identical landmarks, hence the same chip; moved: the customary use
against itself, its box moved by one pixel, mean in %: how precise its own landmarks are"""


@dataclass
class Tally:
    """Results on one set of images, an entry an image; times in seconds."""

    usual: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    found_usual: int = 0
    found_ours: int = 0
    differences: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    scales: Counter = field(default_factory=Counter)

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: mine + getattr(other, name) for name, mine in vars(self).items()})

    def row(self) -> tuple[object, ...]:
        """The cells behind the name; `HEAD` names them."""
        usual, ours = np.array(self.usual), np.array(self.ours)
        # Where no face is found by both there is no difference.
        differ = 100 * np.array(self.differences or [np.nan])
        return (
            *(len(usual), self.found_usual, self.found_ours),
            *(f"{1000 * np.median(each):.1f}" for each in (usual, ours)),
            *(f"{each:.1f}" for each in (usual.sum() / ours.sum(), np.median(usual / ours))),
            *(f"{each:.2f}" for each in (differ.mean(), np.median(differ))),
            *(f"{np.sqrt((differ**2).mean()):.2f}", f"{(differ == 0).mean():.0%}"),
            f"{100 * np.mean(self.moved or [np.nan]):.2f}",
        )


def compare(
    pictures: list[Callable[[], np.ndarray]], usual: UsualAligner, ours: TimedAligner, name: str
) -> Tally:
    """Both aligners on every image, in turn, each first on every other."""
    tally = Tally()
    for i, make in enumerate(tqdm(pictures, desc=name, unit="image", leave=False)):
        image = np.ascontiguousarray(make())
        theirs = face = None
        for aligner in (usual, ours) if i % 2 else (ours, usual):
            started = time.process_time()
            if aligner is usual:
                theirs = usual.align(image)
                tally.usual.append(time.process_time() - started)
            else:
                try:
                    face = ours.align(image)
                except NoFaceFound:
                    face = None
                tally.ours.append(time.process_time() - started)
        tally.found_usual += theirs is not None
        tally.found_ours += face is not None
        if face is not None:
            tally.scales[face.scale] += 1
        if theirs is not None and face is not None:
            box, points, _ = theirs
            tally.differences.append(rms_share(face.landmarks, points))
            beside = (box[0] + 1, box[1], box[2] + 1, box[3])
            tally.moved.append(rms_share(usual.landmarks(image, beside), points))
    return tally


def fitted(photo: np.ndarray) -> np.ndarray:
    """A photograph as 640×480: scaled to fit, its borders repeated."""
    factor = min(WIDTH / photo.shape[1], HEIGHT / photo.shape[0])
    height, width = (round(side * factor) for side in photo.shape[:2])
    small = images.resize(photo, height, width)
    left, top = (WIDTH - width) // 2, (HEIGHT - height) // 2
    sides = (top, HEIGHT - height - top), (left, WIDTH - width - left)
    return np.pad(small, [*sides, *[(0, 0)] * (small.ndim - 2)], mode="edge")


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.alignment", __doc__)
    options.add_argument("--photos", type=Path, help="a folder of photographs, one face each")
    options.add_argument("--subjects", type=int, default=12, help="rendered people [12]")
    options.add_argument("--seed", type=int, default=8)
    args = options.parse_args(argv)
    files = sorted(args.photos.rglob("*")) if args.photos else []
    photos = [path for path in files if images.looks_like_image(path)]
    if args.photos and not photos:
        raise BadUse(f"{args.photos} holds no image; --photos takes a folder of images")
    print(f"{heading(options, argv)}\n{EXPECTED}")
    ours = TimedAligner()
    usual = UsualAligner(ours.model)
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "people")
        render_database(folder, args.subjects, args.seed, frames=3, size=480, pose=30, light=True)
        faces = list(enumerate(sorted(folder.glob("*/*.png"))))
        for k, side in enumerate(SIDES):
            chosen = [
                (lambda path=path, side=side, i=i: onto_canvas(images.read(path), side, i))
                for i, path in faces[k :: len(SIDES)]
            ]
            tallies[f"rendered, {side} px"] = compare(chosen, usual, ours, f"rendered {side}")
    tallies["rendered, all"] = sum(tallies.values(), Tally())
    where, shares = "the rendered people", dict(ours.seconds)
    if photos:
        ours.seconds.clear()
        colour = [(lambda path=path: fitted(images.read(path))) for path in photos]
        tallies["photographs"] = compare(colour, usual, ours, "photographs")
        where, shares = "the photographs", dict(ours.seconds)
        gray = [(lambda path=path: fitted(images.to_gray(images.read(path)))) for path in photos]
        tallies["photographs, gray"] = compare(gray, usual, ours, "gray")
    print(table(HEAD, [(name, *tally.row()) for name, tally in tallies.items()]))
    print(FOOT)
    found = "; ".join(
        f"{name}: " + ", ".join(f"{scale} {count}" for scale, count in tally.scales.items())
        for name, tally in tallies.items()
    )
    print(textwrap.fill(f"found at: {found}", 96))
    stages = sorted(shares.items(), key=lambda pair: -pair[1])
    total = sum(shares.values())
    print(f"where our time goes, on {where}: "
          + ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in stages))  # fmt: skip
    if not photos:
        print("photographs: skipped, for no --photos DIR was given")
    return 0


if __name__ == "__main__":
    sys.exit(main())
