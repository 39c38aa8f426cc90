"""The client's detectors: recall, false alarms and time; and of a film, search near the last faces.

    python -m benchmarks.alignment.detectors [--photos DIR] [--scenes 60] [--people 40] [--seed 2]
        [--backs 8] [--certain 0.55 0.6]

Scenes of 640×480 with 1 to 5 rendered people: widths of their faces 40 to 300 pixels, yaw up to
±45°. A face is found if the centre of a box lies in its own, and their widths differ by no more
than a factor of 2.2. `--photos`: a folder of photographs with one face each. Times are the
process's own, from decoded pixels to aligned faces; all detectors take turns, image by image.
`--certain`: blazeface also with these scores, from which a proposal that dlib does not detect is a
face.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.alignment import scenes
from benchmarks.alignment.__main__ import fitted
from benchmarks.alignment.aligners import ALIGN, TimedFinder
from benchmarks.alignment.scenes import Known
from benchmarks.heading import heading, parser
from fesr_tf.client.detector import BLAZEFACE, DETECTORS, DLIB, WHOLE, FaceFinder
from pipelines.common.errors import BadUse, command
from pipelines.common.text import table
from pipelines.faces.alignment import AlignedFace
from pipelines.faces.chips import Box
from pipelines.faces.scales import overlap
from pipelines.media import images

EXPECTED = """\
expected beforehand: dlib alone 30 ms a photo with one face, the network 5 and dlib around its
proposals 8, so 13; dlib alone finds no face under 60 pixels beside a larger one, the network two
of three; the same chip as dlib alone for every photograph and nine of ten rendered faces; false
alarms: none of either on backgrounds, a few of the network on animals and drawings"""
WIDTHS = (40, 55, 75, 110, 180, 301)
YAWS = (0, 15, 30, 46)
_TIMES_WIDER = 2.2
_SAME_FACE = 0.3
ALONE = "network alone"


@dataclass
class Tally:
    """A detector's results; times in seconds."""

    hits: list[bool] = field(default_factory=list)
    false: int = 0
    one_face: list[float] = field(default_factory=list)
    scene: list[float] = field(default_factory=list)
    photograph: list[float] = field(default_factory=list)
    stages: list[list[float]] = field(default_factory=list)
    photographs: int = 0
    alarms: list[str] = field(default_factory=list)
    same: list[bool] = field(default_factory=list)
    same_first: list[bool] = field(default_factory=list)


def matches(box: Box, known: Known) -> bool:
    """Whether a box is of the face."""
    left, top, right, bottom = known.box
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    ratio = (box[2] - box[0] + 1) / known.width
    return left <= x <= right and top <= y <= bottom and 1 / _TIMES_WIDER < ratio < _TIMES_WIDER


def score(boxes: list[Box], known: list[Known]) -> tuple[list[bool], int]:
    """Of each face whether it was found, and the number of boxes of no face."""
    left = list(boxes)
    hits = []
    for face in known:
        found = next((box for box in left if matches(box, face)), None)
        hits.append(found is not None)
        if found is not None:
            left.remove(found)
    return hits, len(left)


def near(box: Box, other: Box) -> bool:
    """Whether two boxes are of one face."""
    return overlap(box, other) >= _SAME_FACE


def same_chip(face: AlignedFace, others: list[AlignedFace]) -> bool:
    """Whether one of the others is the same to the pixel."""
    return any(
        near(face.box, other.box) and np.array_equal(face.chip, other.chip) for other in others
    )


def shares(tally: Tally, known: list[Known]) -> list[str]:
    """Found of all, and in per cent by width and by yaw."""
    hits = np.array(tally.hits)
    cells = [f"{hits.sum()} of {len(hits)}"]
    for values, edges in (
        ([face.width for face in known], WIDTHS),
        ([abs(face.yaw) for face in known], YAWS),
    ):
        for low, high in itertools.pairwise(edges):
            chosen = hits[[low <= value < high for value in values]]
            cells.append(f"{100 * chosen.mean():.0f}" if len(chosen) else "")
    return cells


def counted(names: list[str]) -> str:
    """Each name once, with its number where that is above 1."""
    return ", ".join(f"{n} × {name}" if n > 1 else name for name, n in Counter(names).items())


def film(people: list[scenes.Head], seed: int, frames: int = 60) -> list[np.ndarray]:
    """Two faces that move, grow and shrink, one of them leaving at two thirds."""
    canvas = scenes.background(np.random.default_rng(seed))
    result = []
    for i in range(frames):
        swing = np.sin(2 * np.pi * i / frames)
        image, *_ = scenes.paste(canvas, people[0], 150 + 40 * swing, 200 + i, 220 + 20 * swing)
        if i < frames * 2 // 3:
            image, *_ = scenes.paste(image, people[1], 80 - 10 * swing, 530 - i / 2, 150)
        result.append(image)
    return result


def film_row(name: str, frames: list[np.ndarray]) -> tuple[object, ...]:
    """Times of the whole search and of following, and how often they agree."""
    whole, follow = FaceFinder(name), FaceFinder(name)
    times: tuple[list[float], list[float]] = ([], [])
    same = equal = 0
    for frame in frames:
        found = []
        for each, search in zip(times, (whole.find, follow.follow), strict=True):
            started = time.process_time()
            found.append(search(frame))
            each.append(time.process_time() - started)
        one, other = ([face.box for face in faces] for faces in found)
        same += len(one) == len(other) and all(map(near, one, other))
        equal += one == other
    slow, fast = (1000 * np.mean(each) for each in times)
    return name, f"{slow:.1f}", f"{fast:.1f}", f"{slow / fast:.1f}", same, equal


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.alignment.detectors", __doc__)
    options.add_argument("--photos", type=Path, help="a folder of photographs, one face each")
    options.add_argument("--scenes", type=int, default=60)
    options.add_argument("--people", type=int, default=40, help="in the scenes, at least 5")
    options.add_argument("--seed", type=int, default=2)
    options.add_argument("--backs", type=int, default=8, help="backs of heads")
    options.add_argument("--certain", type=float, nargs="+", default=[], metavar="SCORE")
    args = options.parse_args(argv)
    if args.people < 5 or args.scenes < 1:
        raise BadUse("--people must be at least 5, --scenes at least 1")
    files = sorted(args.photos.rglob("*")) if args.photos else []
    photos = [path for path in files if images.looks_like_image(path)]
    print(f"{heading(options, argv)}\n{EXPECTED}", flush=True)
    timed = {name: TimedFinder(detector=name) for name in DETECTORS}
    finders: dict[str, FaceFinder] = dict(timed)
    finders |= {f"{BLAZEFACE} {at:g}": FaceFinder(certain=at) for at in args.certain}
    network = next(finder.network for finder in finders.values() if finder.network)
    searches: dict[str, Callable[[np.ndarray], list[AlignedFace]]] = {
        name: finder.find for name, finder in finders.items()
    }
    tallies = {name: Tally() for name in (*searches, ALONE)}
    people = scenes.heads(args.people, args.seed)

    def search_all(image: np.ndarray, turn: int) -> dict[str, tuple[list[AlignedFace], float]]:
        names = list(searches)
        found = {}
        for name in names if turn % 2 else names[::-1]:
            started = time.process_time()
            faces = searches[name](image)
            found[name] = faces, time.process_time() - started
        for name, (faces, _) in found.items():
            tally, reference = tallies[name], found[DLIB][0]
            pairs = [
                same_chip(face, faces)
                for face in reference
                if any(near(face.box, other.box) for other in faces)
            ]
            tally.same_first += pairs[:1]
            tally.same += pairs[1:]
        return found

    known: list[Known] = []
    for i in tqdm(range(args.scenes), desc="scenes", leave=False, disable=None):
        image, faces = scenes.scene(people, 1000 * args.seed + i, 1 + i % 5)
        known += faces
        boxes = {}
        for name, (aligned, seconds) in search_all(image, i).items():
            tallies[name].scene.append(seconds)
            if len(faces) == 1:
                tallies[name].one_face.append(seconds)
            boxes[name] = [face.box for face in aligned]
        boxes[ALONE] = [each.box for each in network.propose(image) if each.anchors]
        for name, each in boxes.items():
            hits, false = score(each, faces)
            tallies[name].hits += hits
            tallies[name].false += false
    for i, path in enumerate(photos):
        image = fitted(images.to_rgb(images.read(path)))
        for finder in timed.values():
            finder.aligner.seconds.clear()
        for name, (aligned, seconds) in search_all(image, i).items():
            tallies[name].photograph.append(seconds)
            tallies[name].photographs += len(aligned) == 1
        for name, finder in timed.items():
            align = sum(finder.aligner.seconds[stage] for stage in ALIGN)
            tallies[name].stages.append([sum(finder.aligner.seconds.values()) - align, align])
        tallies[ALONE].photographs += sum(1 for p in network.propose(image) if p.anchors) == 1
    without = [(name, pixels) for name, pixels in scenes.photographs_without()]
    without += [("back of a head", image) for image in scenes.backs(args.backs, args.seed + 50)]
    without += [("drawn cat", scenes.drawing(True)), ("drawn smile", scenes.drawing(False))]
    without += [
        ("background", scenes.background(np.random.default_rng([args.seed, 3, i])))
        for i in range(30)
    ]
    for name, image in tqdm(without, desc="without a face", leave=False, disable=None):
        for detector, search in searches.items():
            tallies[detector].alarms += [name] * len(search(image))
        tallies[ALONE].alarms += [name for each in network.propose(image) if each.anchors]

    def ms(values: Sequence[float]) -> str:
        return f"{1000 * np.median(values):.1f}" if values else ""

    spans = [f"{low}-{high - 1}" for low, high in itertools.pairwise(WIDTHS)]
    turns = [f"{low}-{high - 1}°" for low, high in itertools.pairwise(YAWS)]
    print(table(
        ("detector", "found", *(f"{span} px %" for span in spans), *(f"{turn} %" for turn in turns),
         "false"),
        [(name, *shares(tally, known), tally.false) for name, tally in tallies.items()],
    ))  # fmt: skip
    print(table(
        ("detector", f"of {len(photos)} photographs", f"alarms in {len(without)} without",
         "ms, 1 face", "scenes", "photograph", "same chip as dlib's: largest", "others"),
        [(name, tally.photographs, len(tally.alarms), ms(tally.one_face), ms(tally.scene),
          ms(tally.photograph),
          *(f"{sum(each)} of {len(each)}" if each else "" for each in
            (tally.same_first, tally.same)))
         for name, tally in tallies.items()],
    ))  # fmt: skip
    if photos:
        print("a photograph: milliseconds to find its face, and for landmarks and the aligned face")
        print(table(("detector", "find", "align"),
                    [(name, *map(ms, zip(*tallies[name].stages, strict=True))) for name in timed])
        )  # fmt: skip
    for name, tally in tallies.items():
        if tally.alarms:
            print(f"{name}, false alarms: {counted(tally.alarms)}")
    print(f"a film of 60 frames, two faces; near the last faces, and every {WHOLE} frames whole")
    frames = film(people, args.seed)
    print(table(("detector", "ms whole", "near", "faster", "frames with the same faces",
                 "with the same boxes"),
                [film_row(name, frames) for name in DETECTORS]))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
