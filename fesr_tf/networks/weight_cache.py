"""The cache of fetched and converted weights, outside any checkout."""

from __future__ import annotations

from pathlib import Path

from fesr_tf.config.cache import cache_folder

_HEAD = 512


def cached_weights(identity: str) -> Path:
    """The cache's file for the weights of a face network; may not exist."""
    return cache_folder() / f"{identity}.npz"


def not_weights(path: Path) -> str | None:
    """What a file is in place of weights: empty, a web page, a Git LFS pointer; None where its
    first bytes are neither."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "the file is empty: download it again"
    if text.startswith(b"version https://git-lfs"):
        return (
            "it is a Git LFS pointer and not the file itself: run `git lfs pull` in its "
            "repository, or download the file"
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--")):
        return (
            "it is a web page and not the file itself: open its address in a browser and save the "
            "file that the page offers"
        )
    if text.startswith(b"{"):
        return "it is JSON text, perhaps a server's error message: download the file again"
    return None
