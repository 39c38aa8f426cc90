"""A folder of labelled images: which levels are classes, people and parts, and what is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.files import MANIFEST_NAME
from pipelines.common.records import Reject
from pipelines.common.text import listed
from pipelines.databases import parts
from pipelines.databases.base import GUESSED, KNOWN, UNKNOWN, Database, Sample, shown
from pipelines.databases.labels import merged, one_person_each, paper_name
from pipelines.databases.layouts import Levels, beside, levels
from pipelines.databases.patterns import Told, Unmatched, check_matched, check_people, told
from pipelines.databases.sequences import Walk, real
from pipelines.media.images import looks_like_image

# What lies in a preprocessed folder, and in one of fesr_tf.own_data.
_OUTPUTS = (MANIFEST_NAME, "own_data.json")
_ALLOWED = "--allow DIR allows where it leads to"


def read_folder(
    root: Path,
    layout: str,
    prealigned: bool,
    pattern: re.Pattern[str] | None,
    subjects: str | None,
    allow: tuple[Path, ...],
) -> Database:
    """The images below `root`, as `images.read` describes them. layout: the expected one, for
    messages; pattern, subjects, allow: of its options. Raises `BadUse` for another layout."""
    walk = Walk(root, allowed=allow)
    files = list(_files(walk, root, (real(root),)))
    rejects = _not_images(walk)
    if not files:
        linked = "".join(f" ({note}; {_ALLOWED})" for note in walk.notes() if walk.links)
        raise BadUse(
            f"{root} has no class folder with images in it{linked}; --input takes {layout}"
        )
    images, refused = _matched(root, files, pattern)
    found = _arranged(root, images, pattern, subjects, layout)
    found.notes.extend(_empty(walk, files))
    return _database(walk, found, [*rejects, *refused, *found.rejects], prealigned)


@dataclass(frozen=True)
class _Image:
    """An image with its label's name, its subject, its role in official parts, frame and yaw."""

    file: Path
    label: str
    subject: str
    role: int | None
    told: Told


@dataclass(frozen=True)
class _Arranged:
    """The images of a folder as they are to be read; subjects: of `base.SUBJECTS`."""

    images: list[_Image]
    subjects: str
    rejects: list[Reject]
    notes: list[str]


def _files(walk: Walk, folder: Path, chain: tuple[Path, ...]) -> Iterator[Path]:
    """The images in a folder and below. chain: the resolved folders above, so that a link back to
    one of them is not followed for ever."""
    below = []
    for entry in walk.entries(folder):
        image = looks_like_image(entry.name)
        if image and walk.is_file(entry):
            yield entry
        # An earlier output of this project is not a class, whatever images lie in it.
        elif image or not walk.is_folder(entry) or any(walk.is_file(entry / n) for n in _OUTPUTS):
            walk.strays.add(entry)
        elif real(entry) not in chain:
            below.append(entry)
    for entry in below:
        yield from _files(walk, entry, (*chain, real(entry)))


def _not_images(walk: Walk) -> list[Reject]:
    """Rejects for what is named as an image below the root and cannot be taken."""
    rejects = []
    for entries, reason in (
        (
            walk.links,
            f"it is a link that leads out of the folder; {_ALLOWED}",
        ),
        (walk.strays, "it is named as an image, but is not a file"),
    ):
        named = {entry for entry in entries if looks_like_image(entry.name)}
        entries -= named
        rejects += [_reject(walk.root, entry, reason) for entry in sorted(named)]
    return rejects


def _empty(walk: Walk, files: list[Path]) -> list[str]:
    """A note for each folder directly in the root without an image in it."""
    filled = {file.relative_to(walk.root).parts[0] for file in files}
    return [
        f"ignored, no image in it: the folder {entry.name!r}"
        for entry in walk.entries(walk.root)
        if walk.is_folder(entry) and entry not in walk.strays and entry.name not in filled
    ]


def _matched(
    root: Path, files: list[Path], pattern: re.Pattern[str] | None
) -> tuple[list[tuple[Path, Told]], list[Reject]]:
    """The images with what the pattern tells of them, and those that it does not fit."""
    if pattern is None:
        return [(file, Told()) for file in files], []
    images, refused = [], []
    for file in files:
        try:
            told_of = told(pattern, file.relative_to(root).as_posix())
        except Unmatched as reason:
            refused.append(_reject(root, file, str(reason)))
            continue
        images.append((file, told_of))
    paths = [file.relative_to(root).as_posix() for file in files]
    check_matched(pattern, len(images), paths, [reject.reason for reject in refused])
    return images, refused


def _arranged(
    root: Path,
    images: list[tuple[Path, Told]],
    pattern: re.Pattern[str] | None,
    subjects: str | None,
    layout: str,
) -> _Arranged:
    groups = pattern.groupindex if pattern else {}
    names = {file: file.relative_to(root).parts[:-1] for file, _ in images}
    found = None
    if "label" not in groups:
        found = levels(root, list(names.values()), layout)
        _check_level(root, found, list(names.values()))
        _check_people(root, found, list(names))
    roles = {
        parts.role_of(above[found.part]) for above in names.values() if _has_part(found, above)
    }
    divided = "part" in groups or len(roles) > 1
    by_folder = found is not None and found.person is not None
    by_name = not pattern and not by_folder and (subjects == GUESSED or not divided)
    taken, rejects = [], []
    for file, told_of in images:
        above = names[file]
        if found is not None and len(above) != found.depth:
            reason = (
                f"its folder depth is {len(above)}, not {found.depth} as in {found.shown()}: "
                "move it, or describe the paths with --subject-pattern"
            )
            rejects.append(_reject(root, file, reason))
            continue
        label = told_of.label or (above[found.label] if found else "")
        role = told_of.part
        if role is None and _has_part(found, above):
            role = parts.role_of(above[found.part])
        subject = told_of.subject
        if subjects != UNKNOWN and "subject" not in groups:
            subject = above[found.person] if by_folder else _subject(file) if by_name else ""
        missing = "label" if not label else "part" if divided and role is None else ""
        if missing:
            where = "--subject-pattern gives" if missing in groups else "its folder names"
            rejects.append(_reject(root, file, f"{where} no {missing}"))
            continue
        taken.append(_Image(file, label, subject, role, told_of))
    check_people(pattern, [(image.subject, image.label) for image in taken])
    people, notes = one_person_each({image.subject for image in taken})
    taken = [replace(image, subject=people[image.subject]) for image in taken]
    state = KNOWN if "subject" in groups else GUESSED if by_folder or by_name else UNKNOWN
    if subjects == UNKNOWN or not all(image.subject for image in taken):
        state = UNKNOWN
    return _Arranged(taken, state, rejects, [*_layout_notes(root, found, taken), *notes])


def _has_part(found: Levels | None, above: tuple[str, ...]) -> bool:
    """Whether the folders above an image tell its part."""
    return found is not None and found.part is not None and len(above) == found.depth


def _check_level(root: Path, found: Levels, names: list[tuple[str, ...]]) -> None:
    """`BadUse` where the root is itself a class among others, so that people became classes."""
    here = real(root).name
    labels = {each[found.label] for each in names if len(each) == found.depth}
    if found.depth > 1 or not paper_name(here) or any(map(paper_name, labels)):
        return
    others = [name for name in beside(root) if paper_name(name)]
    if others:
        raise BadUse(
            f"{root} is the class {here!r}, beside {', '.join(others)}: one level too low; --input "
            f"takes the folder above"
        )


def _check_people(root: Path, found: Levels, files: list[Path]) -> None:
    """`BadUse` where the names of files are expressions and those of folders are not, so that
    people became classes."""
    inside = [file for file in files if len(file.relative_to(root).parts) == found.depth + 1]
    folders = {file.relative_to(root).parts[found.label] for file in inside}
    if found.person is not None or any(map(paper_name, folders)):
        return
    words = [list(filter(paper_name, re.split(r"[\W\d_]+", file.stem))) for file in inside]
    pairs = {
        (file.relative_to(root).parts[found.label], word)
        for file, names in zip(inside, words, strict=True)
        for word in names
    }
    labels = sorted({word for _, word in pairs})
    # Where each folder has one expression, the folders are the classes under other names.
    if all(words) and len(pairs) > len(folders):
        example = inside[0].relative_to(root).as_posix()
        pattern = f"(?P<subject>[^/]+)/[^/]*(?P<label>{'|'.join(labels)})[^/]*$"
        raise BadUse(
            f"the folders {listed(sorted(folders))} of {root} are not expressions, but the names "
            f"of their images are ({shown(example)}); if the folders are people, add "
            f"--subject-pattern '{pattern}'; if they are the classes, rename the images, or name "
            "the folder with --subject-pattern '^(?P<label>[^/]+)/'"
        )


def _layout_notes(root: Path, found: Levels | None, images: list[_Image]) -> list[str]:
    notes = []
    if found is not None and found.depth > 1:
        people = {image.subject for image in images} - {""} if found.person is not None else ()
        by = f"; {len(people)} people, by their folders" if people else ""
        notes.append(f"read as {found.shown()}{by}")
    others = [name for name in beside(root) if parts.role_of(name)]
    if parts.role_of(real(root).name) and others and (found is None or found.part is None):
        notes.append(
            f"{root} is one part, and {', '.join(others)} beside it is not read: the folder above "
            "has the official parts"
        )
    return notes


def _database(walk: Walk, found: _Arranged, rejects: list[Reject], prealigned: bool) -> Database:
    names, notes = merged(dict.fromkeys(image.label for image in found.images))
    classes = tuple(sorted(set(names.values())))
    roles = [image.role for image in found.images]
    official, part_notes = parts.divided(roles)
    samples = [
        Sample(
            key=_key(walk.root, image.file),
            label=classes.index(names[image.label]),
            subject=image.subject,
            path=str(image.file),
            official=role,
            frame=image.told.frame,
            yaw=image.told.yaw,
            aligned=prealigned,
        )
        for image, role in zip(found.images, official, strict=True)
    ]
    return Database(
        "images",
        classes,
        samples,
        channels=3,
        root=walk.root,
        folds=1 if samples and samples[0].official else 5,
        notes=[
            *found.notes,
            *notes,
            *part_notes,
            *walk.notes(),
        ],
        rejects=rejects,
        subjects=found.subjects,
    )


def _subject(image: Path) -> str:
    return image.stem.split("_", 1)[0] or image.stem


def _key(root: Path, file: Path) -> str:
    return file.relative_to(root).with_suffix("").as_posix()


def _reject(root: Path, file: Path, reason: str) -> Reject:
    source = shown(file.relative_to(root).as_posix())
    return Reject(shown(_key(root, file)), source, shown(file.parent.name), "", reason)
