"""The folder of what this user's runs share outside any checkout."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.common.errors import BadUse


def cache_folder() -> Path:
    """`$FESR_TF_CACHE`, else `$XDG_CACHE_HOME/fesr_tf`, else `~/.cache/fesr_tf`; may not exist.

    Raises `BadUse` where there is none of them, as in a container whose user has no home folder.
    """
    if chosen := os.environ.get("FESR_TF_CACHE"):
        return Path(chosen)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "fesr_tf"
    try:
        return Path.home() / ".cache" / "fesr_tf"
    except RuntimeError:
        raise BadUse(
            "this user has no home folder for cached files: set FESR_TF_CACHE to a folder"
        ) from None
