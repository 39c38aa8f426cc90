"""Every frame of a film in turn, decoded by ffmpeg in a process of its own.

A damaged film can neither crash nor block a worker. The header's statements about the frames are
not trusted.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from upath import UPath

from pipelines.common.errors import BadUse, FesrError
from pipelines.common.files import local_copy, location
from pipelines.media.images import MAX_PIXELS

MAX_FRAMES = 10_000
"""Six minutes at 25 frames a second; the longest clips of the databases last half a minute."""

TIME_LIMIT = 300.0
"""Seconds that ffmpeg may keep its reader waiting for one film."""

MAX_BYTES = 2**32
"""Size limit of a film: a remote one is copied to this machine's disk first."""

# Formats that contain films themselves. ffmpeg also reads lists that name other files and
# addresses, which a stranger's folder must not be able to open.
_FORMATS = "avi,mov,matroska,mpeg,mpegvideo,mpegts,asf"
# Workers share the cores already, so each decodes with one thread.
_QUIET = ("-nostdin", "-hide_banner", "-nostats", "-threads", "1")
# Prints the time of every frame, before the frame is written.
_TIMES = ("-vf", "showinfo=checksum=0")
_TIME = re.compile(rb"\] n: *\d+ pts: *\S+ pts_time:(\S+)")
# A stream of images, each with its own size.
_STREAM = (
    # The first true video stream; a cover image is not one.
    *("-map", "0:V:0"),
    # Every frame once: none duplicated or dropped to keep time.
    *("-fps_mode", "passthrough"),
    *("-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "-"),
)


class UnreadableFilm(FesrError):
    """A file that is not a film, or one that is damaged, too large or too short; the message says
    which."""


class Timed(NamedTuple):
    """A frame, uint8 (H,W,3) RGB and read-only, and its time in seconds from the film's start, None
    where the film gives it none."""

    pixels: np.ndarray
    seconds: float | None


def frames(
    path: str | Path | UPath, max_frames: int | None = None, time_limit: float | None = None
) -> Iterator[np.ndarray]:
    """Every frame, uint8 (H,W,3) RGB and read-only, turned as the film's header requests.

    max_frames, time_limit: other limits than `MAX_FRAMES` and `TIME_LIMIT`. Raises
    `UnreadableFilm`, at the latest after the last frame, for a film that is damaged anywhere,
    and beyond the limits on pixels, frames, bytes and time. Close the generator, or exhaust
    it: until then ffmpeg runs.
    """
    with contextlib.closing(_film(path, max_frames, time_limit, timed=False)) as film:
        yield from (frame.pixels for frame in film)


def timed_frames(
    path: str | Path | UPath, max_frames: int | None = None, time_limit: float | None = None
) -> Iterator[Timed]:
    """`frames` with their times, which need not be evenly spaced. The log of a film with times
    takes some 300 bytes a frame on the disk while it is read."""
    return _film(path, max_frames, time_limit, timed=True)


def _film(
    path: str | Path | UPath, max_frames: int | None, time_limit: float | None, timed: bool
) -> Iterator[Timed]:
    limit = MAX_FRAMES if max_frames is None else max_frames
    seconds = TIME_LIMIT if time_limit is None else time_limit
    with _local(path) as film:
        # -xerror: ffmpeg would continue after an error, and frames would be missing.
        source = ["-xerror", *_input(film)]
        for count, frame in enumerate(_decoded(source, seconds, timed=timed)):
            if count >= limit:
                raise UnreadableFilm(f"it has more frames than the limit of {limit:,}")
            yield frame


def rate(path: str | Path | UPath) -> float | None:
    """Frames a second by the film's header, None if it has no plausible value. Raises
    `UnreadableFilm` as `frames` does for a file that is not a film."""
    with _local(path) as film:
        command = [_program(), "-nostdin", "-hide_banner", *_input(film)]
        # Without an output ffmpeg prints the streams and ends with an error.
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise UnreadableFilm(f"decoding took longer than {TIME_LIMIT:.0f} seconds") from None
        found = re.search(rb"Video:.* (\d+(?:\.\d+)?) fps", done.stderr)
        value = float(found[1]) if found else 0.0
        return value if 0 < value <= 1000 else None


def camera(device: str, seconds: float = 10.0) -> Iterator[Timed]:
    """The images of a Video4Linux device (`/dev/video0`) as they arrive, until the generator is
    closed or the device ends. Raises `UnreadableFilm` if none arrives within `seconds`."""
    source = ["-f", "v4l2", "-i", device]
    return _decoded(source, seconds, a_frame=True, timed=True)


def _decoded(
    source: list[str], seconds: float, a_frame: bool = False, timed: bool = False
) -> Iterator[Timed]:
    """The images that ffmpeg decodes from `source`, with their times if `timed`. It may keep its
    reader waiting for `seconds` in all, or, with `a_frame`, for each image; the reader's own time
    does not count."""
    with tempfile.NamedTemporaryFile() as log, Path(log.name).open("rb") as lines:
        level = "info" if timed else "error"
        options = [*_QUIET, "-loglevel", level, *source, *(_TIMES if timed else ())]
        command = [_program(), *options, *_STREAM]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        count, left = 0, seconds
        try:
            while True:
                timer, began = threading.Timer(left, stop), time.monotonic()
                timer.daemon = True
                timer.start()
                try:
                    frame = _portable_pixmap(process.stdout)
                    if frame is None:
                        status = process.wait()
                finally:
                    timer.cancel()
                    timer.join()
                if not a_frame:
                    left -= time.monotonic() - began
                    if left <= 0:
                        stop()
                if late.is_set() or frame is None:
                    break
                count += 1
                yield Timed(frame, _next_time(lines) if timed else None)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
        if late.is_set():
            raise UnreadableFilm(f"decoding took longer than {seconds:.0f} seconds")
        if status != 0 or count == 0:
            log.seek(0)
            raise UnreadableFilm(_reason(log.read(2**16).decode(errors="replace")))


def _next_time(lines: BinaryIO) -> float | None:
    """The time of the next frame in ffmpeg's log, None where it has none."""
    for line in lines:
        if found := _TIME.search(line):
            with contextlib.suppress(ValueError):
                return float(found[1])
            return None
    return None


def _program() -> str:
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise BadUse(f"films need ffmpeg: run `pip install imageio-ffmpeg` ({error})") from error


def _input(film: Path) -> list[str]:
    """ffmpeg's input options: this file, and nothing that the file refers to."""
    return [
        *("-max_pixels", str(MAX_PIXELS)),
        *("-protocol_whitelist", "file", "-format_whitelist", _FORMATS),
        # With its scheme, a name that begins with a dash or has a colon is still a name.
        *("-i", f"file:{film}"),
    ]


def _portable_pixmap(stream: BinaryIO) -> np.ndarray | None:
    """The next image of a stream of them, or None where it ends or breaks off."""
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
    """The reason in fixed words: ffmpeg's own contain addresses and depend on the order of its
    threads, and a reason has to be the same on every run."""
    large = re.search(r"Picture size (\d+)x(\d+) exceeds", log)
    if large:
        return f"more pixels ({large[1]}×{large[2]}) than the limit of {MAX_PIXELS:,}"
    if "matches no streams" in log:
        return "it holds no video stream"
    if "Error opening input" in log:
        return "not a film in a known format"
    return (
        "damaged or cut short: it cannot be decoded to its end "
        "(`ffmpeg -v error -i FILM -f null -` shows where)"
    )


@contextlib.contextmanager
def _local(path: str | Path | UPath) -> Iterator[Path]:
    """The film as a file of this machine, after the checks that need no decoding."""
    found = location(path)
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
    with contextlib.ExitStack() as stack:
        try:
            local = stack.enter_context(local_copy(found))
        except OSError as error:
            raise UnreadableFilm(f"cannot be copied: {error.strerror or error}") from error
        yield local


def _check_length(head: bytes, size: int) -> None:
    """An AVI file begins with its length. One cut between two frames decodes without an error,
    with a middle that is not the film's."""
    declared = int.from_bytes(head[4:8], "little") + 8
    # A recorder that does not know the length leaves one of the ends of the range.
    known = head[:4] == b"RIFF" and head[8:12] == b"AVI " and 8 < declared < 2**32
    if known and size < declared:
        raise UnreadableFilm(f"cut short: {size:,} bytes of the {declared:,} that it should have")
