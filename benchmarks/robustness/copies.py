"""Misses and false alarms of the search for copies of one image.

    python -m benchmarks.robustness.copies [--photos DIR] [--crops DIR]

Changes every image as a copy is changed, aligns both faces, and counts the copies that are not
found. Compares all images of different people, and counts those that are called copies. --photos:
a folder <class>/<subject>.jpg whose faces are detected; --crops: a folder of cropped faces, whose
people are unknown. Rendered people are always measured.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from benchmarks.heading import heading, parser
from pipelines.common.errors import command
from pipelines.common.text import table
from pipelines.dataset.copies import COSINE
from pipelines.dataset.fingerprints import fingerprint, mirrored, mirrored_and_aligned, vectors
from pipelines.demo_faces import render_database
from pipelines.faces.alignment import FaceAligner, NoFaceFound, resize_face
from pipelines.media import images

_CROPS = 1000


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(data).convert("RGB")


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    size = round(image.width * factor), round(image.height * factor)
    return image.resize(size, Image.Resampling.LANCZOS)


def _turned(image: Image.Image, degrees: float) -> Image.Image:
    corner = tuple(int(value) for value in np.asarray(image)[:4].mean(axis=(0, 1)))
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=corner)


def _trimmed(image: Image.Image) -> Image.Image:
    return image.crop((image.width // 20, image.height // 20, image.width, image.height))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 40": lambda image: _jpeg(image, 40),
    "half the size": lambda image: _scaled(image, 0.5),
    "1.5 times the size": lambda image: _scaled(image, 1.5),
    "25 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "half the contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.5),
    "gray": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "mirrored": ImageOps.mirror,
    "turned by 2 degrees": lambda image: _turned(image, 2),
    "turned by 5 degrees": lambda image: _turned(image, 5),
    "5 % cut off": _trimmed,
    "mirrored, turned by 2, half the size, JPEG 60": lambda image: _jpeg(
        _scaled(_turned(ImageOps.mirror(image), 2), 0.5), 60
    ),
}


def cosines(faces: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The largest cosine (N,M) over both orientations; each side may be the mirrored one."""
    pairs = [(faces, others), (faces, mirrored(others)), (faces, mirrored_and_aligned(others))]
    pairs.append((mirrored_and_aligned(faces), others))
    unit = [[_unit(side) for side in pair] for pair in pairs]
    return np.max([one @ other.T for one, other in unit], axis=0)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)


def measure(paths: Sequence[Path], people: Sequence[str] | None, every: int) -> list[tuple]:
    """Rows (change, copies, missed) of the images, then one of the pairs of different people.

    people: of each image; None for cropped faces of unknown people, which are not detected and
    whose pairs are not counted: databases of them hold copies. every: changes each so-many-th.
    """
    aligner = FaceAligner() if people is not None else None

    def face(image: Image.Image) -> np.ndarray | None:
        pixels = np.ascontiguousarray(image)
        if aligner is None:
            return resize_face(pixels)
        try:
            return aligner.align(pixels).chip
        except NoFaceFound:
            return None

    def prints(faces: Sequence[np.ndarray]) -> np.ndarray:
        return vectors(b"".join(map(fingerprint, faces)))

    originals = [Image.fromarray(images.to_rgb(images.read(path))) for path in paths]
    aligned = [face(image) for image in originals]
    kept = [index for index, each in enumerate(aligned) if each is not None]
    stored = dict(zip(kept, prints([aligned[index] for index in kept]), strict=True))
    rows = []
    for name, change in CHANGES.items():
        pairs = [(i, face(change(originals[i]))) for i in kept[::every]]
        found = [(i, each) for i, each in pairs if each is not None]
        changed = prints([each for _, each in found])
        missed = sum(
            cosines(stored[i][None], one[None])[0, 0] < COSINE
            for (i, _), one in zip(found, changed, strict=True)
        )
        rows.append((name, len(found), f"{missed} ({missed / len(found):.1%})"))
    if people is not None:
        every_face = np.stack(list(stored.values()))
        names = np.array([people[index] for index in kept])
        different = np.triu(names[:, None] != names[None], 1)
        alarms = cosines(every_face, every_face)[different]
        about = f"{int((alarms >= COSINE).sum())}, nearest {alarms.max():.3f}"
        rows.append(("false alarms: pairs of different people", int(different.sum()), about))
    return rows


@command
def main(argv: list[str] | None = None) -> int:
    options = parser("benchmarks.robustness.copies", __doc__)
    options.add_argument("--photos", type=Path)
    options.add_argument("--crops", type=Path)
    args = options.parse_args(argv)
    print(heading(options, argv))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo"
        render_database(folder, subjects=30, seed=7, frames=3, progress=False)
        paths = sorted(folder.glob("*/*.png"))
        _print("rendered people", paths, [path.stem.split("_")[0] for path in paths], 4)
    if args.photos:
        paths = [path for path in sorted(args.photos.glob("*/*")) if images.looks_like_image(path)]
        _print("photographs", paths, [path.stem for path in paths], 1)
    if args.crops:
        paths = [path for path in sorted(args.crops.rglob("*")) if images.looks_like_image(path)]
        _print("cropped faces", paths[:: max(1, len(paths) // _CROPS)], None, 1)
    return 0


def _print(title: str, paths: Sequence[Path], people: Sequence[str] | None, every: int) -> None:
    print(f"\n{title}: {len(paths)} images, a copy has a cosine of {COSINE} or more")
    print(table(("change", "copies", "missed"), measure(paths, people, every)))


if __name__ == "__main__":
    sys.exit(main())
