"""States what a data folder's folds promise about subjects: known, guessed or unknown ones."""

from __future__ import annotations

from pipelines.databases.base import GUESSED, UNKNOWN
from pipelines.dataset.doubts import DOUBT
from pipelines.dataset.fold_checks import CROSSING
from pipelines.dataset.folds import BY_IMAGE, OFFICIAL
from pipelines.dataset.manifest import Manifest


def known(manifest: Manifest) -> bool:
    """Whether every image has a subject, be it a guess."""
    return manifest.subjects != UNKNOWN


def named(manifest: Manifest) -> bool:
    """Whether any image, aligned or rejected, has a subject."""
    return any(manifest.counts[f"{part}by_subject"] for part in ("", "rejected_"))


def counted(manifest: Manifest) -> tuple[int, int]:
    """The number of people with an aligned image, and of aligned images without a subject."""
    return len(manifest.counts["by_subject"]), manifest.unknown_subjects


def protocol(manifest: Manifest) -> str:
    """The folds in a few words: "subject-independent", "official, subjects unknown" …"""
    if manifest.subject_independent:
        kind = "official, " if manifest.fold_rule == OFFICIAL else ""
        guess = " by guessed subjects" if manifest.subjects == GUESSED else ""
        return f"{kind}subject-independent{guess}"
    if not known(manifest):
        by = {OFFICIAL: "official", BY_IMAGE: "divided by image"}.get(manifest.fold_rule)
        return f"{by}, subjects unknown" if by else "some subjects unknown"
    return "official, subjects may cross"


def promise(manifest: Manifest) -> str:
    """One sentence on whether a subject can be on two sides of a split."""
    if manifest.subject_independent:
        guessed = (
            ", as guessed from names of files or folders," if manifest.subjects == GUESSED else ""
        )
        return f"No subject{guessed} is on two sides of a split."
    if not known(manifest):
        some = "Subjects are" if not manifest.counts["by_subject"] else "Some subjects are"
        return (
            f"{some} unknown: one person may be on two sides of a split, so accuracies may be too "
            "high."
        )
    return "These folds are the database's own: subjects may be on two sides of a split."


def cautions(manifest: Manifest) -> list[str]:
    """Sentences that stand beside every number of people and every accuracy: unknown subjects,
    people on two sides of a split, and doubts about guessed people."""
    unknown = [] if known(manifest) else [promise(manifest)]
    return unknown + [each.text for each in manifest.anomalies if each.short in (CROSSING, DOUBT)]
