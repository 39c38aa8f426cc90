"""The cache of fetched and converted weights, outside any checkout."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$FESR_TF_CACHE`, else `$XDG_CACHE_HOME/fesr_tf`, else `~/.cache/fesr_tf`; may not exist."""
    if chosen := os.environ.get("FESR_TF_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fesr_tf"


def cached_weights(identity: str) -> Path:
    """The cache's file for the weights of a face network; may not exist."""
    return cache_folder() / f"{identity}.npz"
