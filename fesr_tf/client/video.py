"""Films and cameras: writes every frame's faces as CSV and an annotated film of the frames."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image

from fesr_tf.client import tables
from fesr_tf.client.errors import Unwritable
from fesr_tf.client.session import Client
from fesr_tf.client.tables import Photograph
from fesr_tf.plots import annotations
from pipelines.common.files import writing
from pipelines.media import images
from pipelines.media.ffmpeg import Timed, UnreadableFilm

MAX_FRAMES = 200_000
"""Two hours at 25 frames a second."""
WAITING = 3600.0
"""The limit in seconds for ffmpeg on one film."""
DEFAULT_RATE = 25.0
# Larger frames are shrunk for the annotated film; faces are searched at full size.
_SHOWN = 1280


@dataclass(frozen=True)
class Written:
    """The files written for a film, and the counts of its classified frames, of those with a face,
    and of faces."""

    film: Path
    table: Path
    frames: int
    with_face: int
    faces: int


def annotate(
    client: Client,
    frames: Iterable[Timed],
    film: Path,
    rate: float,
    every: int = 1,
    batch: int | None = None,
    ticks: Callable[[], object] = lambda: None,
) -> Written:
    """Classifies every `every`-th frame and writes `film`, `<name>.annotated.mp4`, and beside it
    `<name>.faces.csv`, each atomically.

    rate: mean frames per second, for the annotated film, whose frames are evenly spaced, and for
    frames without a time. The table has one row per face, frame by frame (counted from 0), and a
    row without a face for a frame that shows none; its seconds are the frames' own times. Sound is
    not copied. Raises `UnreadableFilm` for the film, `Unwritable` for its outputs, and the errors
    of the client.
    """
    stem, _, suffix = film.stem.rpartition(".annotated")
    table = film.with_name(f"{stem}.faces{suffix}.csv")
    times: deque[float | None] = deque()

    def chosen() -> Iterator[np.ndarray]:
        for frame in itertools.islice(frames, 0, None, every):
            times.append(frame.seconds)
            yield frame.pixels

    count = faces = with_face = 0
    try:
        film.parent.mkdir(parents=True, exist_ok=True)
        with writing(table) as raw, _film(film, rate / every) as add:
            lines = csv.writer(
                io.TextIOWrapper(raw, "utf-8", write_through=True), lineterminator="\n"
            )
            for photo in client.each(chosen(), batch, film=True):
                if photo.error is not None:
                    raise photo.error
                if count == 0:
                    lines.writerow(tables.header(["frame", "seconds"], client.classes))
                number, seconds = count * every, times.popleft()
                seconds = number / rate if seconds is None else seconds
                first = [number, f"{seconds:.3f}"]
                for n, face in enumerate(photo.faces or (None,), 1):
                    lines.writerow(tables.row(first, n if face else "", face, client.classes))
                add(_annotated(client, photo))
                count, faces = count + 1, faces + len(photo.faces)
                with_face += bool(photo.faces)
                ticks()
            if count == 0:
                raise UnreadableFilm("it has no frame")
    except OSError as error:
        raise Unwritable(film, error) from None
    return Written(film, table, count, with_face, faces)


def stoppable(frames: Iterator[Timed]) -> Iterator[Timed]:
    """A camera's frames until Ctrl-C, which ends a recording like its last frame."""
    try:
        yield from frames
    except KeyboardInterrupt:
        return


def _annotated(client: Client, photo: Photograph) -> np.ndarray:
    """The annotated frame; frames of one size give one size, whatever they show."""
    frame = images.within(photo.pixels, _SHOWN)
    factor = frame.shape[1] / photo.pixels.shape[1]
    boxes = [[edge * factor for edge in face.box] for face in photo.faces]
    shares = tables.shares(photo.faces, client.classes)
    return annotations.annotate(frame, boxes, shares, client.classes, columns=1)


@contextlib.contextmanager
def _film(path: Path, rate: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Writes a film atomically; yields a function that adds a uint8 (H,W,3) frame, fitted to the
    size of the first."""
    writer, size = None, (0, 0)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        temporary = Path(folder).resolve() / "film.mp4"

        def add(frame: np.ndarray) -> None:
            nonlocal writer, size
            if writer is None:
                # The codec halves the sides of its colour planes, so both must be even.
                size = tuple(side + side % 2 for side in frame.shape[1::-1])
                writer = imageio_ffmpeg.write_frames(
                    str(temporary), size, fps=rate, macro_block_size=2, codec="libx264",
                    pix_fmt_in="rgb24", ffmpeg_log_level="error",
                )  # fmt: skip
                writer.send(None)
            fitted, canvas = Image.fromarray(frame), Image.new("RGB", size, "white")
            fitted.thumbnail(size)
            canvas.paste(fitted)
            writer.send(canvas.tobytes())

        try:
            yield add
        finally:
            if writer is not None:
                writer.close()
        if writer is not None:
            os.replace(temporary, path)
