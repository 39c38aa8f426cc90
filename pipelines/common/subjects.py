"""Images whose subject is unknown (an empty name): each counts by itself, none as a person."""

from __future__ import annotations

from collections.abc import Iterable

# No file's name holds it, so an image and a person cannot have the same unit.
_IMAGE = "\0"
_IMAGES = "images of unknown subjects"


def unit(subject: str, key: str) -> str:
    """What is divided and resampled as a whole: the subject, or the image `key` where it is
    unknown."""
    return subject or _IMAGE + key


def subject_of(name: str) -> str:
    """The subject of a unit, empty where it is an image of an unknown one."""
    return "" if name.startswith(_IMAGE) else name


def shown(name: str) -> str:
    """A unit as text: the subject or the image's key."""
    return name.removeprefix(_IMAGE)


def counted(subjects: Iterable[str]) -> tuple[int, int]:
    """From the subject or unit of every image: the number of people, and of images without one."""
    people: set[str] = set()
    unknown = 0
    for each in subjects:
        if name := subject_of(each):
            people.add(name)
        else:
            unknown += 1
    return len(people), unknown


def stated(people: int, unknown: int) -> str:
    """ "12 people", "subjects unknown", or "12 people and 5 images of unknown subjects". unknown:
    the number of images without a subject."""
    named = f"{people:,} {'person' if people == 1 else 'people'}"
    if not unknown:
        return named
    if not people:
        return "subjects unknown"
    return f"{named} and {unknown:,} {_IMAGES if unknown > 1 else 'image of an unknown subject'}"


def of_people(people: int, unknown: int) -> str:
    """What follows "80 images": " of 12 people", or ", subjects unknown"."""
    return f"{',' if unknown else ' of'} {stated(people, unknown)}"
