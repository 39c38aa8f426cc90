"""Frames of films: counted by decoding, turned upright, cut to the half with the face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from upath import UPath

from pipelines.media.ffmpeg import UnreadableFilm, frames

SUFFIXES = frozenset(
    {".avi", ".mpg", ".mpeg", ".m2v", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".wmv", ".asf"}
)
_HALVES = ("left", "right")
_TURNS = (0, 90, 180, 270)


@dataclass(frozen=True)
class Film:
    """Which frame of a film a sample is; frames are counted from 0.

    peak: the peak's frame, or None for the middle one, n // 2 of n, which is known once the
    film is decoded. offset: frames from the peak. halves: the image may hold two views side
    by side. turn: degrees counter-clockwise by which the image has to be turned, None to try
    all four and keep the one in which a face is found.
    """

    peak: int | None = None
    offset: int = 0
    halves: bool = False
    turn: int | None = None


@dataclass(frozen=True)
class View:
    """The part of a film's image to use: turned by `turn` degrees counter-clockwise (0, 90, 180
    or 270), then the "whole" or its "left" or "right" half."""

    turn: int
    half: str


def looks_like_film(path: Path) -> bool:
    """Whether the name has a film's suffix; the bytes decide later."""
    return path.suffix.lower() in SUFFIXES


def count_frames(path: str | Path | UPath) -> int:
    """How many frames a film has, all of them decoded. Raises `UnreadableFilm`.

    A film that breaks off is refused even where most of it can be decoded: its middle frame
    and the numbers after a lost frame would change.
    """
    return sum(1 for _ in frames(path))


def read_frames(path: str | Path | UPath, numbers: Sequence[int]) -> list[np.ndarray]:
    """The frames with these numbers, counted from 0, in this order: uint8 (H,W,3) RGB each.

    A rotation in the film's header is applied. The film is decoded from start to end, and only
    the requested frames are kept. Raises `UnreadableFilm` for a film
    that cannot be decoded to its end and for a number outside it.
    """
    wanted, kept, count = set(numbers), {}, 0
    for count, frame in enumerate(frames(path), start=1):
        if count - 1 in wanted:
            # A writable copy; the decoder's pixels are read-only.
            kept[count - 1] = frame.copy()
    for number in numbers:
        if number not in kept:
            raise UnreadableFilm(f"it has no frame {number}, only 0 to {count - 1}")
    return [kept[number] for number in numbers]


def select(film: Film, count: int) -> int:
    """The number of the frame that `film` selects in a film of `count` frames.

    A given peak stays; a neighbour that would lie outside the film is taken from the peak's
    other side, one further away, so that the offsets -1, 0 and 1 are always three different
    frames. Raises `UnreadableFilm` if the peak lies outside, and for
    fewer than three frames.
    """
    if count < 3:
        raise UnreadableFilm(
            f"it has {count} frame{'' if count == 1 else 's'}; a peak and its two neighbours take 3"
        )
    peak = count // 2 if film.peak is None else film.peak
    if not 0 <= peak < count:
        raise UnreadableFilm(
            f"the peak is given as frame {peak}, and it has the frames 0 to {count - 1}: "
            "frames are counted from 0"
        )
    number = peak + film.offset
    if not 0 <= number < count:
        number = peak - 2 * film.offset
    if not 0 <= number < count:
        raise UnreadableFilm(f"it has no frame {film.offset} away from frame {peak}")
    return number


def views(film: Film) -> list[View]:
    """The views in the order to try: unturned first; the halves before the whole."""
    halves = (*_HALVES, "whole") if film.halves else ("whole",)
    turns = _TURNS if film.turn is None else (film.turn,)
    return [View(turn, half) for turn in turns for half in halves]


def look(image: np.ndarray, view: View) -> np.ndarray:
    """The part of an (H,W[,3]) image that a view shows, upright and contiguous.

    The halves of an odd width share its middle column.
    """
    turned = np.rot90(image, view.turn // 90)
    width = turned.shape[1]
    if view.half == "left":
        turned = turned[:, : (width + 1) // 2]
    elif view.half == "right":
        turned = turned[:, width // 2 :]
    return np.ascontiguousarray(turned)


def choose_view(
    middle: np.ndarray, film: Film, certainty: Callable[[np.ndarray], float]
) -> View | None:
    """The view in which a film's middle frame shows a face with the highest score, None if none.

    certainty: the highest score of a detector of upright, frontal faces on an image, above 0, or
    0 if it detects none. All views are compared, since a third of all faces are also detected,
    small and with low scores, when upside down. A film with one possible view is not searched.
    """
    options = views(film)
    if len(options) == 1:
        return options[0]

    def weight(view: View) -> float:
        # The whole of two views shows the same face, and another beside it that may be larger:
        # it is for images that turn out to be one view, cut in two by the halves.
        share = 0.5 if film.halves and view.half == "whole" else 1.0
        return share * certainty(look(middle, view))

    weights = [weight(view) for view in options]
    best = int(np.argmax(weights))
    return options[best] if weights[best] > 0 else None
