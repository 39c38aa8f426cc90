"""Films and cameras: every frame's faces as CSV, and an annotated film of the same frames."""

from __future__ import annotations

import csv
import io
import itertools
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fesr_tf.client import tables
from fesr_tf.client.session import Client
from fesr_tf.plots import annotations
from pipelines.common.errors import FailedWork, FesrError
from pipelines.common.files import writing
from pipelines.media.ffmpeg import UnreadableFilm

MAX_FRAMES = 200_000
"""Two hours at 25 frames a second."""
WAITING = 3600.0
"""Seconds that ffmpeg may keep the client waiting over one film."""
DEFAULT_RATE = 25.0
# Beyond this a frame is shrunk for the annotated film; faces are sought at full size.
_SHOWN = 1280


@dataclass(frozen=True)
class Written:
    """What came of a film: the files, frames asked about, those with a face, faces."""

    film: Path
    table: Path
    frames: int
    with_face: int
    faces: int


def annotate(
    client: Client,
    frames: Iterable[np.ndarray],
    name: str,
    folder: Path,
    rate: float,
    every: int = 1,
    batch: int | None = None,
    ticks: Callable[[], object] = lambda: None,
) -> Written:
    """Asks about every `every`-th frame and writes `<name>.annotated.mp4` and
    `<name>.faces.csv` into `folder`, each whole or not at all.

    frames: uint8 (H,W,3); rate: of them, a second, taken as constant. The table has a row a
    face, frame by frame (counted from 0), and a row without a face for a frame that shows
    none. Sound is not copied. Raises `FesrError`.
    """
    film, table = folder / f"{name}.annotated.mp4", folder / f"{name}.faces.csv"
    chosen = itertools.islice(frames, 0, None, every)
    count = faces = with_face = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with writing(table) as raw, _film(film, rate / every) as add:
            lines = csv.writer(
                io.TextIOWrapper(raw, "utf-8", write_through=True), lineterminator="\n"
            )
            for photo in client.each(chosen, batch):
                if photo.error is not None:
                    raise photo.error
                if count == 0:
                    lines.writerow(tables.header(["frame", "seconds"], client.classes))
                number = count * every
                first = [number, f"{number / rate:.3f}"]
                for n, face in enumerate(photo.faces or (None,), 1):
                    lines.writerow(tables.row(first, n if face else "", face, client.classes))
                add(_shown(client, photo.pixels, photo.faces))
                count, faces = count + 1, faces + len(photo.faces)
                with_face += bool(photo.faces)
                ticks()
            if count == 0:
                raise UnreadableFilm("it has no frame")
    except OSError as error:
        reason = error.strerror or error
        raise FailedWork(
            f"cannot write into {folder} ({reason}); choose a folder by --output"
        ) from None
    return Written(film, table, count, with_face, faces)


def stoppable(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """A camera's frames until Ctrl-C, which ends a recording as its last frame would."""
    try:
        yield from frames
    except KeyboardInterrupt:
        return


def _shown(client: Client, frame: np.ndarray, faces) -> np.ndarray:
    """The annotated frame; one size for all frames of a size, whatever they show."""
    height, width = frame.shape[:2]
    factor = min(1.0, _SHOWN / max(height, width))
    boxes = [[edge * factor for edge in face.box] for face in faces]
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        frame = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
    shares = tables.shares(faces, client.classes)
    return annotations.annotate(frame, boxes, shares, client.classes, columns=1)


class _film:
    """A film that appears whole or not at all, as a context: takes uint8 (H,W,3) frames, all
    brought to the size of the first."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._writer = None
        self._size: tuple[int, int] | None = None

    def __enter__(self) -> Callable[[np.ndarray], None]:
        self._folder = tempfile.TemporaryDirectory(prefix=f".{self._path.name}.",
                                                   dir=self._path.parent)  # fmt: skip
        self._made = Path(self._folder.name) / "film.mp4"
        return self._add

    def __exit__(self, kind, *_: object) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
                if kind is None:
                    os.replace(self._made, self._path)
        finally:
            self._folder.cleanup()

    def _add(self, frame: np.ndarray) -> None:
        if self._writer is None:
            import imageio_ffmpeg

            # The codec halves the colours' sides, so both must be even.
            self._size = tuple(side + side % 2 for side in frame.shape[1::-1])
            self._writer = imageio_ffmpeg.write_frames(
                str(self._made.resolve()), self._size, fps=self._rate, macro_block_size=2,
                codec="libx264", pix_fmt_in="rgb24", ffmpeg_log_level="error",
            )  # fmt: skip
            self._writer.send(None)
        self._writer.send(_fitted(frame, self._size).tobytes())


def _fitted(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The frame on a canvas of `size` (width, height), shrunk where it is larger."""
    height, width = frame.shape[:2]
    if width > size[0] or height > size[1]:
        factor = min(size[0] / width, size[1] / height)
        width, height = max(1, int(width * factor)), max(1, int(height * factor))
        frame = np.asarray(Image.fromarray(frame).resize((width, height)))
    canvas = np.full((size[1], size[0], 3), 255, np.uint8)
    canvas[:height, :width] = frame
    return canvas


def failing_as(name: str, error: FesrError) -> FesrError:
    """What is wrong with a film, with its name."""
    return FailedWork(f"{name}: {error}") if isinstance(error, UnreadableFilm) else error
