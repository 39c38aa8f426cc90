"""Official parts: one fold that trains, validates and tests as a database prescribes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.common.roles import TEST, TRAIN, VALID
from pipelines.databases.sequences import Walk
from pipelines.media.images import looks_like_image

_ROLES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev", "publictest"), VALID),
    **dict.fromkeys(("test", "testing", "eval", "evaluation", "privatetest"), TEST),
}
# What may follow in a folder's name, as in trainset, train_data, test-images.
_HOLDS = re.compile(r"(set|data|dataset|images?|imgs?|faces?|pictures?|photos?|part|split)$")

NAMES = {TRAIN: "train", VALID: "valid", TEST: "test"}


def role_of(name: str) -> int | None:
    """The role that a folder or a value so named stands for, in any case; None for other names.

    `train_set`, `train_data` and `trainimages` are names of `train`, and so for the others.
    """
    letters = re.sub(r"[\s_-]+", "", name).lower()
    return _ROLES.get(letters, _ROLES.get(_HOLDS.sub("", letters)))


def one_fold(roles: Sequence[int]) -> tuple[list[tuple[int]], list[str]]:
    """`Sample.official` for each role, and notes. Without a test part the validation part is
    tested, so that there is a result."""
    if VALID in roles and TEST not in roles:
        tested = [(TEST if role == VALID else role,) for role in roles]
        return tested, ["there is no test part: the validation part is tested"]
    return [(role,) for role in roles], []


def divided(roles: Sequence[int | None]) -> tuple[list[tuple[int] | None], list[str]]:
    """`Sample.official` for each role, and notes: None for all unless some train and others do
    not, since folds have to be cut then."""
    counts = Counter(roles)
    if None in counts or TRAIN not in counts or len(counts) < 2:
        found = " and ".join(NAMES[role] for role in counts if role)
        return [None] * len(roles), [f"only {found} is there: folds are cut from it"] * bool(found)
    found = ", ".join(f"{NAMES[role]} {counts[role]}" for role in NAMES if counts[role])
    official, notes = one_fold(roles)
    return official, [f"official parts, one fold: {found}", *notes]


def images_of_parts(
    walk: Walk, label_of: Callable[[str], int | None]
) -> list[tuple[Path, int, int]]:
    """Image, label and role of `train|val|…|test/<class>/image`, there or one folder further down.

    label_of: the label of a class's folder, None for another folder. What does not belong counts
    as stray.
    """
    tops = walk.entries(walk.root)
    # Archives unpack into a folder of their own name.
    if not any(role_of(entry.name) for entry in tops):
        folders = [entry for entry in tops if walk.is_folder(entry)]
        if len(folders) == 1:
            walk.strays.update(set(tops) - set(folders))
            tops = walk.entries(folders[0])
    found = []
    for top in tops:
        role = role_of(top.name)
        for folder in walk.entries(top) if role is not None and walk.is_folder(top) else ():
            label = label_of(folder.name) if walk.is_folder(folder) else None
            for file in walk.files(folder, depth=0) if label is not None else ():
                if looks_like_image(file.name):
                    found.append((file, label, role))
                else:
                    walk.strays.add(file)
            if label is None:
                walk.strays.add(folder)
        if role is None:
            walk.strays.add(top)
    return found
