"""CK+ in miniature: `cohn-kanade-images/`, `Emotion/` and, as an oddity, `Landmarks/`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support.miniatures import Shelf, course, do, encoder, litter, outside, people, replace

CLASSES = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
BY_CLASS = dict(zip(CLASSES, (45, 18, 59, 25, 69, 28, 83), strict=True))
BY_FOLD = (33, 39, 40, 35, 30, 37, 29, 29, 33, 22)
SUBJECTS, SEQUENCES = 123, 593
PICTURES, LABELS = "cohn-kanade-images", "Emotion"

_GRAY = encoder(640, 490, "L", "PNG")
_LOWER = encoder(640, 480, "L", "PNG")


@dataclass(frozen=True)
class Sequence:
    """A sequence by number; label: a class, or None for none."""

    subject: str
    number: int
    label: str | None


def subjects() -> list[str]:
    """123 names such as CK+ has: S005 to S999, with gaps."""
    numbers = [5, 10, 11, 14, 22, 26, 28, 29, 32, 34, 35, 37, 42, 44, 45, 46, *range(50, 139)]
    numbers += [147, 148, 149, 151, 154, 155, 156, 157, 158, 160, *range(501, 507), 895, 999]
    return [f"S{number:03d}" for number in numbers]


def full_plan() -> list[Sequence]:
    """593 sequences of 123 people, the labelled ones with the published counts.

    Every 25th person has no label. Of the other 118 the i-th is tested in fold i mod 10:
    each fold's labels are dealt out evenly to its people, and each person takes the classes
    that most labels are left of, which always comes out (Gale and Ryser).
    """
    everybody = subjects()
    labelled = [name for index, name in enumerate(everybody) if index % 25 != 24][:118]
    left = dict(BY_CLASS)
    labels: dict[str, list[str | None]] = {name: [] for name in everybody}
    for fold, size in enumerate(BY_FOLD):
        members = labelled[fold::10]
        for index, name in enumerate(members):
            count = size // len(members) + (index < size % len(members))
            taken = sorted(left, key=lambda each: -left[each])[:count]
            for each in taken:
                left[each] -= 1
            labels[name] += sorted(taken)
    spare = SEQUENCES - sum(map(len, labels.values()))
    for index in range(spare):
        labels[everybody[index % SUBJECTS]].append(None)
    return _numbered(labels)


def small_plan(names: list[str]) -> list[Sequence]:
    """Every class once, and a sequence without a label, of up to four people."""
    return _numbered({name: [*CLASSES, None] for name in names})


def build(folder: Path, faces: Path, full: bool = False, oddities: Iterable[str] = ()) -> Path:
    """Writes the database into `folder`; four to six frames a sequence, from number 1."""
    persons = people(faces)
    plan = full_plan() if full else small_plan(subjects()[: min(4, len(persons))])
    order = {name: index for index, name in enumerate(sorted({each.subject for each in plan}))}
    shelf = Shelf()
    for each in plan:
        index = order[each.subject]
        person = persons[index % len(persons)]
        name = f"{each.subject}_{each.number:03d}"
        place = Path(each.subject, f"{each.number:03d}")
        frames = course(faces, person, each.label or "neutral", 4 + (index + each.number) % 3)
        for number, source in enumerate(frames, start=1):
            path = folder / PICTURES / place / f"{name}_{number:08d}.png"
            shelf.put(path, source, _LOWER if index % 2 else _GRAY)
        if each.label:
            label = folder / LABELS / place / f"{name}_{len(frames):08d}_emotion.txt"
            replace(label, _code(CLASSES.index(each.label) + 1))
    apply(folder, oddities)
    return folder


def apply(folder: Path, oddities: Iterable[str]) -> None:
    """Does the named `ODDITIES` to a miniature."""
    do(ODDITIES, folder, oddities)


def labels(folder: Path) -> list[Path]:
    """The emotion files, in order."""
    return sorted((folder / LABELS).glob("*/*/*_emotion.txt"))


def frames(folder: Path, label: Path) -> list[Path]:
    """The pictures of a labelled sequence."""
    return sorted((folder / PICTURES / label.parent.relative_to(folder / LABELS)).iterdir())


def _numbered(labels: dict[str, list[str | None]]) -> list[Sequence]:
    return [
        Sequence(name, number, label)
        for name, of_subject in labels.items()
        for number, label in enumerate(of_subject, start=1)
    ]


def _code(value: float) -> bytes:
    return f"   {value:.7e}\n".encode()


def _unlabelled(folder: Path) -> list[Path]:
    held = {path.parent.relative_to(folder / LABELS) for path in labels(folder)}
    every = sorted((folder / PICTURES).glob("*/*"))
    return [path for path in every if path.relative_to(folder / PICTURES) not in held]


def _empty_label_folder(folder: Path) -> None:
    first = _unlabelled(folder)[0].relative_to(folder / PICTURES)
    (folder / LABELS / first).mkdir(parents=True)


def _ds_store(folder: Path) -> None:
    first = labels(folder)[0]
    litter(folder, folder / PICTURES, first.parent, frames(folder, first)[0].parent)


def _early_label(folder: Path) -> None:
    label = labels(folder)[0]
    earlier = frames(folder, label)[-2]
    label.rename(label.with_name(f"{earlier.stem}_emotion.txt"))


def _two_labels(folder: Path) -> None:
    label = labels(folder)[4]
    earlier = frames(folder, label)[-2]
    replace(label.with_name(f"{earlier.stem}_emotion.txt"), _code(1))


def _missing_frames(folder: Path) -> None:
    frames(folder, labels(folder)[0])[1].unlink()


def _short_sequence(folder: Path) -> None:
    for path in frames(folder, labels(folder)[5])[:-2]:
        path.unlink()


def _empty_sequence(folder: Path) -> None:
    for path in frames(folder, labels(folder)[6]):
        path.unlink()


def _colour_frames(folder: Path) -> None:
    from PIL import Image

    for path in frames(folder, labels(folder)[0]):
        with Image.open(path) as image:
            colour = image.convert("RGB")
        path.unlink()
        colour.save(path)


def _link_out(folder: Path) -> None:
    (folder / PICTURES / "S998").symlink_to(outside(folder), target_is_directory=True)
    last = frames(folder, labels(folder)[0])[-1]
    last.unlink()
    last.symlink_to(outside(folder) / "secret.png")


def _landmarks(folder: Path) -> None:
    """68 rows of the last three frames, as dlib measures them."""
    from pipelines.faces.alignment import FaceAligner
    from pipelines.media import images

    aligner, known = FaceAligner(), {}
    for label in labels(folder):
        for path in frames(folder, label)[-3:]:
            data = path.read_bytes()
            if data not in known:
                points = aligner.align(images.decode(data)).landmarks
                known[data] = "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points).encode()
            place = path.parent.relative_to(folder / PICTURES)
            replace(folder / "Landmarks" / place / f"{path.stem}_landmarks.txt", known[data])


def _missing_landmarks(folder: Path) -> None:
    sorted((folder / "Landmarks").glob("*/*/*_landmarks.txt"))[0].unlink()


def _moved(source: str, target: str, folder: Path) -> None:
    place = folder / "moved"
    (folder / source).rename(place)
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    place.rename(folder / target)


ODDITIES = {
    "landmarks": _landmarks,
    "missing_landmarks": _missing_landmarks,
    "empty_label_folder": _empty_label_folder,
    "missing_label_folder": lambda folder: shutil.rmtree(labels(folder)[0].parent),
    "ds_store": _ds_store,
    "colour_frames": _colour_frames,
    "early_label": _early_label,
    "bad_label": lambda folder: replace(labels(folder)[1], b"happy\n"),
    "unknown_code": lambda folder: replace(labels(folder)[2], _code(9)),
    "neutral_code": lambda folder: replace(labels(folder)[3], _code(0)),
    "two_labels": _two_labels,
    "missing_frames": _missing_frames,
    "short_sequence": _short_sequence,
    "empty_sequence": _empty_sequence,
    "link_out": _link_out,
    "emotion_labels": lambda folder: _moved(LABELS, "Emotion_labels", folder),
    "emotion_labels_emotion": lambda folder: _moved(LABELS, "Emotion_labels/Emotion", folder),
    "extended": lambda folder: _moved(
        PICTURES, "extended-cohn-kanade-images/cohn-kanade-images", folder
    ),
}
