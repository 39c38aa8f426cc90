"""Images whose subject is unknown (an empty name): each counts by itself, none as a person."""

from __future__ import annotations

from collections.abc import Collection

_IMAGES = "images of unknown subjects"


def unit(subject: str, key: str) -> str:
    """What is divided and resampled as a whole: the subject, or the image `key` where it is
    unknown. No file's name holds a zero byte, so the two cannot be equal."""
    return subject or f"\0{key}"


def counted(subjects: Collection[str]) -> tuple[int, int]:
    """From the subject of every image: the number of people, and of images without one."""
    return len(set(subjects) - {""}), sum(not subject for subject in subjects)


def stated(people: int, unknown: int) -> str:
    """ "12 people", "subjects unknown", or "12 people and 5 images of unknown subjects". unknown:
    the number of images without a subject."""
    named = f"{people:,} {'person' if people == 1 else 'people'}"
    if not unknown:
        return named
    if not people:
        return "subjects unknown"
    one = unknown == 1
    return f"{named} and {unknown:,} {'image of an unknown subject' if one else _IMAGES}"


def of_people(people: int, unknown: int) -> str:
    """What follows "80 images": " of 12 people", or ", subjects unknown"."""
    return f"{',' if unknown else ' of'} {stated(people, unknown)}"
