"""The model that comes with the package, for photographs of real people."""

from __future__ import annotations

from pathlib import Path

from pipelines.common.errors import BadUse

NAME = "fesr_photo"


def shipped_model() -> Path:
    """`saved_models/fesr_photo`: inside an installed package, beside it in a checkout.

    Raises `BadUse` where this installation has none.
    """
    package = Path(__file__).resolve().parents[1]
    places = [folder / "saved_models" / NAME for folder in (package, package.parent)]
    for place in places:
        if any(place.glob("*/saved_model.pb")):
            return place
    raise BadUse(
        f"this installation has no model of its own (saved_models/{NAME}): give --model, a folder "
        "that fesr_tf.export wrote, or --server"
    )
