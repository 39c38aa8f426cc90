"""PSNR and SSIM against the same person's own picture (Table III), by scikit-image."""

from __future__ import annotations

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from fesr_tf.synthesis.quality.estimates import cluster_interval, figure


def psnr(target: np.ndarray, drawn: np.ndarray) -> float:
    """In dB, over all pixels and channels of uint8 (S,S,c); inf for equal pictures."""
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(target, drawn, data_range=255))


def ssim(target: np.ndarray, drawn: np.ndarray) -> float:
    """Of uint8 (S,S,c), S at least 11: Wang et al.'s (2004) window, a Gaussian of sigma 1.5 cut
    to 11 x 11 pixels; the mean over pixels whose window lies inside, and over channels."""
    return float(
        structural_similarity(
            target,
            drawn,
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def compare(targets: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """uint8 (P,S,S,c) each -> float64 (P,2): PSNR and SSIM of every pair."""
    rows = [(psnr(a, b), ssim(a, b)) for a, b in zip(targets, drawn, strict=True)]
    return np.array(rows, np.float64).reshape(-1, 2)


def summarise(values: np.ndarray, people: np.ndarray, seed: int) -> dict:
    """`compare`'s rows and the person of each -> the figures `psnr` and `ssim`: means over pairs,
    with `deviation` between pairs. Equal pictures have no PSNR: they are `identical`, left out.
    """
    found = {}
    for column, name in enumerate(("psnr", "ssim")):
        kept = np.isfinite(values[:, column])
        column_values, groups = values[kept, column], people[kept]
        count = len(column_values)
        found[name] = figure(
            column_values.mean() if count else None,
            count,
            "pairs",
            name,
            cluster_interval(lambda rows, v=column_values: v[rows].mean(), groups, seed),
            people=len(np.unique(groups)),
            deviation=float(column_values.std(ddof=1)) if count > 1 else None,
            identical=int((~kept).sum()),
        )
    return found


def by_group(values: np.ndarray, groups: np.ndarray) -> dict[str, dict]:
    """For each name in `groups` (P,): its pairs, and its mean PSNR and SSIM."""
    found = {}
    for name in np.unique(groups):
        of = values[(groups == name) & np.isfinite(values).all(1)]
        means = of.mean(0) if len(of) else (None, None)
        found[str(name)] = {
            "n": len(of),
            **{
                key: None if mean is None else float(mean)
                for key, mean in zip(("psnr", "ssim"), means, strict=True)
            },
        }
    return found
