"""The training data of an exported model, and sentences on inputs that differ from them."""

from __future__ import annotations

import json
from pathlib import Path

from fesr_tf.data.origin import RENDERED_DATABASE, Origin
from pipelines.common.records import typed
from pipelines.dataset.manifest import BOTH, PREALIGNED

FILE = "model.json"


def origin_of(database: str, recorded: Origin | None) -> Origin:
    """The recorded origin; without one, what the name of the database tells."""
    return recorded or Origin(database, rendered=database == RENDERED_DATABASE)


def read(path: Path) -> Origin | None:
    """The origin of R's images in a model's model.json, None where that is missing or damaged."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        about = about.get("recognizer", about)  # of another run than the generator
        recorded = about.get("training_data")
        return origin_of(
            typed(str, about["database"]), recorded and typed(Origin, recorded, "training_data")
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def doubts(origin: Origin | None) -> list[str]:
    """A sentence where photographs, whose faces the client detects and aligns, differ from the
    training images; empty where they do not, or nothing is recorded."""
    if origin is None:
        return []
    if origin.rendered:
        return [
            "this model was trained on rendered people, so its predictions for photographs of real "
            "people are meaningless; train on photographs by python -m fesr_tf.own_data FOLDER"
        ]
    if origin.alignment in (PREALIGNED, BOTH) and not origin.varied:
        some = "partly " if origin.alignment == BOTH else ""
        return [
            f"this model was trained {some}on faces that were cropped beforehand, and the client "
            "detects and aligns them: the framing differs, and so may the accuracy; pass faces "
            "that are cropped as in training to Client.classify, or train without --prealigned"
        ]
    return []
