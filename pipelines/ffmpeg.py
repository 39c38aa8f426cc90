"""Every frame of a film in turn, decoded by ffmpeg in a process of its own.

A damaged film cannot take a worker with it, nor hold it up. Nothing that a film's header says
about its frames is believed.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from upath import UPath

from pipelines.errors import BadUse, FesrError
from pipelines.images import MAX_PIXELS

MAX_FRAMES = 10_000
"""Six minutes at 25 frames a second; the longest clips of the databases last half a minute."""

TIME_LIMIT = 300.0
"""Seconds that ffmpeg may take over one film."""

MAX_BYTES = 2**32
"""What a film may weigh: a remote one is copied to this machine's disk first."""

# Formats that carry films themselves. ffmpeg also knows lists that name other files and
# addresses, which a stranger's folder must not be able to ask for.
_FORMATS = "avi,mov,matroska,mpeg,mpegvideo,mpegts,asf"


class UnreadableFilm(FesrError):
    """A file that is no film, or one that is damaged, too large or too short; says which."""


def frames(path: str | Path | UPath) -> Iterator[np.ndarray]:
    """Every frame, uint8 (H,W,3) RGB and read-only, as a person would see it: turned where the
    film says that it lies on its side.

    Raises `UnreadableFilm`, at the latest after the last frame, for a film that is damaged
    anywhere, and beyond the limits on pixels, frames, bytes and time. Close the generator, or
    exhaust it: until then ffmpeg runs.
    """
    with _local(path) as film, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            _command(film), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(TIME_LIMIT, stop)
        timer.daemon = True
        count = 0
        try:
            timer.start()
            while (frame := _portable_pixmap(process.stdout)) is not None:
                count += 1
                if count > MAX_FRAMES:
                    raise UnreadableFilm(f"it has more frames than the limit of {MAX_FRAMES:,}")
                yield frame
            status = process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.stdout.close()
            process.wait()
            if timer.is_alive():
                timer.join()
        if late.is_set():
            raise UnreadableFilm(f"decoding took longer than {TIME_LIMIT:.0f} seconds")
        if status != 0 or count == 0:
            log.seek(0)
            raise UnreadableFilm(_reason(log.read(2**16).decode(errors="replace")))


def _command(film: Path) -> list[str]:
    """ffmpeg, decoding every frame once to a stream of pictures, each with its own size."""
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise BadUse(f"films take ffmpeg: run `pip install imageio-ffmpeg` ({error})") from error
    return [
        program,
        *("-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"),
        # The first error ends it, where ffmpeg would go on and frames would be missing.
        "-xerror",
        # Workers share the cores already.
        *("-threads", "1"),
        *("-max_pixels", str(MAX_PIXELS)),
        *("-protocol_whitelist", "file", "-format_whitelist", _FORMATS),
        # With its scheme, a name that begins with a dash or holds a colon is still a name.
        *("-i", f"file:{film}"),
        # The first true video stream; a cover picture is none.
        *("-map", "0:V:0"),
        # As many frames as there are: none doubled or dropped to keep time.
        *("-fps_mode", "passthrough"),
        *("-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "-"),
    ]


def _portable_pixmap(stream: BinaryIO) -> np.ndarray | None:
    """The next picture of a stream of them, or None where it ends or breaks off."""
    head = [stream.readline(64) for _ in range(3)]
    size = re.fullmatch(rb"P6\n(\d+) (\d+)\n255\n", b"".join(head))
    if not size:
        return None
    width, height = int(size[1]), int(size[2])
    data = stream.read(height * width * 3)
    if len(data) < height * width * 3:
        return None
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)


def _reason(log: str) -> str:
    """What was wrong, in words of our own: ffmpeg's name addresses and depend on which of its
    threads was first, and a reason has to be the same on every run."""
    large = re.search(r"Picture size (\d+)x(\d+) exceeds", log)
    if large:
        return f"more pixels ({large[1]}×{large[2]}) than the limit of {MAX_PIXELS:,}"
    if "matches no streams" in log:
        return "it holds no moving picture"
    if "Error opening input" in log:
        return "not a film in a known format"
    return (
        "damaged or cut short: it cannot be decoded to its end "
        "(`ffmpeg -v error -i FILM -f null -` tells where)"
    )


@contextlib.contextmanager
def _local(path: str | Path | UPath) -> Iterator[Path]:
    """The film as a file of this machine, after what can be told without decoding."""
    found = path if isinstance(path, (Path, UPath)) else UPath(path)
    try:
        if not found.is_file():
            raise UnreadableFilm("there is no such file")
        size = found.stat().st_size
        if size == 0:
            raise UnreadableFilm("the file is empty")
        if size > MAX_BYTES:
            raise UnreadableFilm(f"larger than the limit of {MAX_BYTES:,} bytes")
        with found.open("rb") as stream:
            _check_length(stream.read(12), size)
    except OSError as error:
        raise UnreadableFilm(f"cannot be read: {error.strerror or error}") from error
    if isinstance(found, Path):
        yield found
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "film"
        try:
            with found.open("rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
        except OSError as error:
            raise UnreadableFilm(f"cannot be copied: {error.strerror or error}") from error
        yield copy


def _check_length(head: bytes, size: int) -> None:
    """An AVI file tells its length first. One cut between two frames decodes without an error,
    with a middle that is not the film's."""
    told = int.from_bytes(head[4:8], "little") + 8
    # Both ends of the range are what a recorder leaves that does not know.
    known = head[:4] == b"RIFF" and head[8:12] == b"AVI " and 8 < told < 2**32
    if known and size < told:
        raise UnreadableFilm(f"cut short: {size:,} bytes of the {told:,} that it should have")
