"""Frames out of films: counted by decoding, turned upright, cut to the half with the face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from upath import UPath

from pipelines.media.ffmpeg import UnreadableFilm, frames

__all__ = [
    "SUFFIXES",
    "UnreadableFilm",
    "View",
    "choose_view",
    "count_frames",
    "look",
    "looks_like_film",
    "read_frames",
    "select",
    "views",
]

SUFFIXES = frozenset(
    {".avi", ".mpg", ".mpeg", ".m2v", ".mp4", ".m4v", ".mov", ".mkv", ".wmv", ".asf"}
)
_HALVES = ("left", "right")
_TURNS = (0, 90, 180, 270)


@dataclass(frozen=True)
class View:
    """What of a film's picture is looked at: `turn` degrees counter-clockwise (0, 90, 180 or
    270), then, of what that gives, the "whole" or its "left" or "right" half."""

    turn: int
    half: str


def looks_like_film(path: Path) -> bool:
    """Whether the name has a film's ending; the bytes decide later."""
    return path.suffix.lower() in SUFFIXES


def count_frames(path: str | Path | UPath) -> int:
    """How many frames a film has, all of them decoded. Raises `UnreadableFilm`.

    A film that breaks off is refused even where most of it can be decoded: its middle, and
    the numbers after a lost frame, would be others.
    """
    return sum(1 for _ in frames(path))


def read_frames(path: str | Path | UPath, numbers: Sequence[int]) -> list[np.ndarray]:
    """The frames with these numbers, counted from 0, in this order: uint8 (H,W,3) RGB each.

    A film that says it lies on its side is turned as it asks. The film is decoded from its
    start to its end, and only the wanted frames are kept. Raises `UnreadableFilm` for a film
    that cannot be decoded to its end and for a number outside it.
    """
    wanted, kept, count = set(numbers), {}, 0
    for count, frame in enumerate(frames(path), start=1):
        if count - 1 in wanted:
            # A copy, which can be written to; the pixels as they came cannot.
            kept[count - 1] = frame.copy()
    for number in numbers:
        if number not in kept:
            raise UnreadableFilm(f"it has no frame {number}, only 0 to {count - 1}")
    return [kept[number] for number in numbers]


def select(film: Film, count: int) -> int:
    """The number of the frame that `film` means in a film of `count` frames.

    A peak that was given stays where it is; a neighbour that would lie outside the film is
    taken from the peak's other side, one further away, so that the peak's -1, 0 and 1 are
    always three different frames. Raises `UnreadableFilm` if the peak lies outside, and for
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
    """The views in the order to try: as it lies first; the halves before the whole."""
    halves = (*_HALVES, "whole") if film.halves else ("whole",)
    turns = _TURNS if film.turn is None else (film.turn,)
    return [View(turn, half) for turn in turns for half in halves]


def look(image: np.ndarray, view: View) -> np.ndarray:
    """The part of a (H,W[,3]) picture that a view shows, upright and contiguous.

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
    """The view of a film in which its middle frame shows the surest face, or None if none does.

    certainty: how sure a detector of upright, frontal faces is of the surest one in a picture,
    above 0, or 0 if it finds none. All views are compared, since a third of all faces pass for
    (small, doubtful) faces when they stand on their heads. A film with one possible view gets
    that, unsearched.
    """
    options = views(film)
    if len(options) == 1:
        return options[0]

    def weight(view: View) -> float:
        # The whole of two views shows the same face, and another beside it that may be larger:
        # it is for pictures that turn out to be one view, cut in two by the halves.
        share = 0.5 if film.halves and view.half == "whole" else 1.0
        return share * certainty(look(middle, view))

    weights = [weight(view) for view in options]
    best = int(np.argmax(weights))
    return options[best] if weights[best] > 0 else None


@dataclass(frozen=True)
class Film:
    """Which frame of a film a sample is; frames are counted from 0.

    peak: the peak's frame, or None for the middle one, n // 2 of n, which is known once the
    film is decoded. offset: frames from the peak. halves: the picture may hold two views side
    by side. turn: degrees counter-clockwise by which the picture has to be turned, None to try
    all four and keep the one in which a face is found.
    """

    peak: int | None = None
    offset: int = 0
    halves: bool = False
    turn: int | None = None
