"""PSNR and SSIM against the same person's own image (Table III), by scikit-image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from fesr_tf.data import Faces, Fold
from fesr_tf.synthesis.quality import pairs
from fesr_tf.synthesis.quality.estimates import cluster_interval, estimate
from fesr_tf.synthesis.quality.generation import Generated

METRICS = ("psnr", "ssim")


def psnr(target: np.ndarray, generated: np.ndarray) -> float:
    """In dB, over all pixels and channels of uint8 (S,S,c); inf for equal images."""
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(target, generated, data_range=255))


def ssim(target: np.ndarray, generated: np.ndarray) -> float:
    """Of uint8 (S,S,c), S at least 11: Wang et al.'s (2004) window, a Gaussian of sigma 1.5 cut
    to 11 x 11 pixels; the mean over pixels whose window lies inside, and over channels."""
    return float(
        structural_similarity(
            target,
            generated,
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def compare(targets: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """uint8 (P,S,S,c) each -> float64 (P,2): PSNR and SSIM of every pair."""
    rows = [(psnr(a, b), ssim(a, b)) for a, b in zip(targets, generated, strict=True)]
    return np.array(rows, np.float64).reshape(-1, 2)


def summarise(values: np.ndarray, people: np.ndarray, seed: int) -> dict:
    """`compare`'s rows and the person of each -> the estimates `psnr` and `ssim`: means over pairs,
    with `deviation` between pairs. Equal images have no PSNR: they are `identical`, left out."""
    estimates = {}
    for column, name in enumerate(METRICS):
        kept = np.isfinite(values[:, column])
        finite, groups = values[kept, column], people[kept]
        count = len(finite)
        estimates[name] = estimate(
            finite.mean() if count else None,
            count,
            "pairs",
            name,
            cluster_interval(lambda rows, v=finite: v[rows].mean(), groups, seed),
            people=len(np.unique(groups)),
            deviation=float(finite.std(ddof=1)) if count > 1 else None,
            identical=int((~kept).sum()),
        )
    return estimates


def by_group(values: np.ndarray, groups: np.ndarray) -> dict[str, dict]:
    """For each name in `groups` (P,): its pairs, and its mean PSNR and SSIM."""
    means = {}
    for name in np.unique(groups):
        own = values[(groups == name) & np.isfinite(values).all(1)]
        mean = own.mean(0).tolist() if len(own) else (None, None)
        means[str(name)] = {"n": len(own), **dict(zip(METRICS, mean, strict=True))}
    return means


def measure_fidelity(fold: Fold, generated: Generated, folder: Path, seed: int) -> dict:
    """Table III: `translated`, and what to compare it with.

    `input`: the input itself in place of the translation. `mean_face`: the mean training face with
    the target's expression, whoever is shown. `reconstruction`: x_rec of the target, the best that
    the generator does when it is given the target. `two_real_frames`: two images of one person and
    expression of equal intensity, in any part of the fold. `folder` holds the run's data.
    """
    test, names = fold.test, np.array(fold.classes)
    images, labels, people = test.images, test.labels, test.subjects
    first, second = found = pairs.translation_pairs(labels, people, pairs.yaws(folder, test))
    means = mean_faces(fold.train, len(names))
    parts = fold.train, fold.valid, test
    everyone = Faces.joined(parts)
    one, again = pairs.repeated_pairs(everyone, pairs.yaws(folder, everyone))
    targets, shown = images[second], people[first]
    own = generated.translated[np.arange(len(test)), labels]
    rows = {
        "translated": (compare(targets, generated.translated[first, labels[second]]), shown),
        "reconstruction": (compare(images, own), people),
        "input": (compare(targets, images[first]), shown),
        "mean_face": (compare(targets, means[labels[second]]), shown),
        "two_real_frames": (
            compare(everyone.images[one], everyone.images[again]),
            everyone.subjects[one],
        ),
    }
    translated, reached = rows["translated"][0], names[labels[second]]
    missing = pairs.missing_targets(labels, found, len(names))
    return {
        **{name: summarise(*row, seed) for name, row in rows.items()},
        "by_class": by_group(translated, reached),
        "by_person": by_group(translated, shown),
        "pictures": len(test),
        "pictures_without_target": {
            str(name): int(count) for name, count in zip(names, missing, strict=True) if count
        },
        "classes_without_pairs": sorted(set(names) - set(reached)),
    }


def mean_faces(train: Faces, classes: int) -> np.ndarray:
    """uint8 (K,S,S,c): each class's mean training peak; that of all where it has none."""
    peaks = train.of(pairs.peaks(train))
    own = [peaks.images[peaks.labels == k] for k in range(classes)]
    means = [(images if len(images) else peaks.images).mean(0) for images in own]
    return np.rint(means).astype(np.uint8)
