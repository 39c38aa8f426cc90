"""Fingerprints of aligned faces: equal for copies of one image, different for different images.

A fingerprint is the face's low spatial frequencies without its mean, each weighted by its
frequency: 143 DCT coefficients. Coefficients are compared instead of their signs (a 64-bit
perceptual hash): all aligned faces look alike, and two people's hashes of 64 bits differ by no
more than those of a copy. `benchmarks.robustness.copies` measures misses and false alarms.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image
from scipy.fft import dctn, idctn
from scipy.ndimage import shift

from pipelines.faces.chips import FACE_SIZE
from pipelines.media.images import to_gray

_SIZE = 32
_FREQUENCIES = 12
BYTES = _FREQUENCIES**2 - 1
"""Length of a fingerprint."""

# Of int8 for a unit vector of 143 values; larger ones, which are rare, are clipped.
_SCALE = 300.0
# Standard deviation in gray values below which a face is of a single colour.
_FLAT = 0.5
# dlib's landmarks of a mirrored face lie 1.75 pixels to one side of the mirrored landmarks
# (median over rendered faces and photographs).
_MIRROR_SHIFT = -1.75


def fingerprint(face: np.ndarray) -> bytes:
    """`BYTES` bytes (int8 values) of a uint8 (H,W[,3]) face; zeros for one of a single colour."""
    gray = Image.fromarray(to_gray(face).astype(np.float32))
    small = np.asarray(gray.resize((_SIZE, _SIZE), Image.Resampling.BOX))
    if small.std() < _FLAT:
        return bytes(BYTES)
    values = _unit(_coefficients((small - small.mean()) * _window()))
    return _whole(values).astype(np.int8).tobytes()


def vectors(fingerprints: bytes) -> np.ndarray:
    """float32 (N,143) of N fingerprints, whole numbers: their products are exact, so that every
    machine finds the same copies."""
    return np.frombuffer(fingerprints, np.int8).reshape(-1, BYTES).astype(np.float32)


def mirrored(faces: np.ndarray) -> np.ndarray:
    """The `vectors` of the mirror images of cropped faces: odd frequencies change their sign."""
    signs = np.ones((_FREQUENCIES, _FREQUENCIES), np.float32)
    signs[:, 1::2] = -1
    return faces * signs.reshape(-1)[1:]


def mirrored_and_aligned(faces: np.ndarray) -> np.ndarray:
    """The `vectors` of faces as the detector aligns them in the mirrored images."""
    return _whole(_unit(faces @ _mirror_operator()))


def _unit(values: np.ndarray) -> np.ndarray:
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-9)


def _whole(units: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(units * _SCALE), -127, 127).astype(np.float32)


def _coefficients(images: np.ndarray) -> np.ndarray:
    """Weighted DCT coefficients (…,143) of (…,32,32) images, without the constant one."""
    low = dctn(images, axes=(-2, -1), norm="ortho")[..., :_FREQUENCIES, :_FREQUENCIES]
    return (low * _weights()).reshape(*images.shape[:-2], -1)[..., 1:]


def _weights() -> np.ndarray:
    # Amplitudes of natural images fall with the frequency: the weights make them equal.
    return np.hypot(*np.indices((_FREQUENCIES, _FREQUENCIES)))


@functools.cache
def _window() -> np.ndarray:
    """1 on the face, falling to 0 towards the corners, which a turn replaces."""
    places = (np.arange(_SIZE) + 0.5) / _SIZE * 2 - 1
    return np.clip((1.15 - np.hypot(*np.meshgrid(places, places))) / 0.4, 0, 1)


@functools.cache
def _mirror_operator() -> np.ndarray:
    """float32 (143,143): from a face's coefficients to those of its shifted mirror image."""
    unit = np.eye(BYTES + 1).reshape(-1, _FREQUENCIES, _FREQUENCIES)[1:]
    full = np.zeros((BYTES, _SIZE, _SIZE))
    weights = np.where(_weights() > 0, _weights(), 1)
    full[:, :_FREQUENCIES, :_FREQUENCIES] = unit / weights
    images = idctn(full, axes=(1, 2), norm="ortho")[:, :, ::-1]
    moved = shift(images, (0, 0, _MIRROR_SHIFT * _SIZE / FACE_SIZE), order=1, mode="nearest")
    return _coefficients(moved).astype(np.float32)
