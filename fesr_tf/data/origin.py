"""The origin of training images, as a run and an exported model record it."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.databases.base import KNOWN, UNKNOWN
from pipelines.dataset.manifest import BOTH, PREALIGNED, Manifest

RENDERED_DATABASE = "demo"
_ALIGNMENTS = {PREALIGNED: "cropped beforehand", BOTH: "partly cropped beforehand"}


@dataclass(frozen=True)
class Origin:
    """database: its name; rendered: whether its people are rendered, else photographed; alignment:
    of `pipelines.dataset.manifest`, empty if unknown; face_size: of the stored faces in pixels;
    subjects: one of `pipelines.databases.base.SUBJECTS`, empty if unknown; varied: whether R's
    training shifted, scaled and turned the faces, so that the framing matters less."""

    database: str
    rendered: bool
    alignment: str = ""
    face_size: int = 0
    subjects: str = ""
    varied: bool = False

    @classmethod
    def of(cls, manifest: Manifest) -> Origin:
        """The origin of the images in a preprocessed folder."""
        return cls(
            database=manifest.database,
            rendered=manifest.database == RENDERED_DATABASE,
            alignment=manifest.alignment,
            face_size=manifest.chip_size,
            subjects=manifest.subjects or KNOWN,
        )

    def __str__(self) -> str:
        """`rendered people (database demo), faces detected and aligned, 128×128 pixels`."""
        kind = "rendered people" if self.rendered else "photographs"
        parts = [f"{kind} (database {self.database})"]
        if self.alignment:
            parts.append(f"faces {_ALIGNMENTS.get(self.alignment, 'detected and aligned')}")
        if self.face_size:
            parts.append(f"stored at {self.face_size}×{self.face_size} pixels")
        if self.subjects and self.subjects != KNOWN:
            how = "unknown" if self.subjects == UNKNOWN else "guessed from file names"
            parts.append(f"subjects {how}")
        return ", ".join(parts)
