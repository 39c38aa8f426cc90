"""The demo database as an input: rendered once, kept until its recipe changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pipelines.common.errors import BadUse
from pipelines.common.files import sha256_of, write_whole

DEMO_SUBJECTS, DEMO_SEED, DEMO_FRAMES = 30, 0, 5
_RECIPE = ".recipe.json"


def rendered(folder: Path, subjects: int, seed: int, frames: int) -> Path:
    """`folder` with the demo database in it, rendered unless the same one is there already.

    It is the same for equal numbers and an equal renderer. Raises `BadUse` for invalid numbers,
    and if `folder` holds anything but a demo database.
    """
    if subjects < 2 or frames < 2 or seed < 0:
        raise BadUse(
            f"--demo-subjects {subjects} --demo-frames {frames} --demo-seed {seed}: at least 2 "
            "subjects, 2 frames and a seed of 0 or more are needed"
        )
    recipe = json.dumps(
        {"subjects": subjects, "seed": seed, "frames": frames, "renderer": _renderer_digest()}
    )
    note = folder / _RECIPE
    if note.is_file() and note.read_text() == recipe:
        print(f"demo faces: the same {subjects} people are in {folder} already")
        return folder
    from pipelines.demo_faces import render_database

    print(f"demo faces: rendering {subjects} people into {folder}")
    render_database(folder, subjects=subjects, seed=seed, frames=frames)
    write_whole(note, recipe)
    return folder


def _renderer_digest() -> str:
    """Changes when the renderer's code or its head does."""
    home = Path(__file__).parent
    files = sorted(item for item in home.iterdir() if item.is_file() and item.suffix != ".pyc")
    lines = "".join(f"{sha256_of(item)} {item.name}\n" for item in files)
    return hashlib.sha256(lines.encode()).hexdigest()
