"""PSNR and SSIM against their formulas, and what is made of many pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate1d
from skimage.metrics import structural_similarity

from fesr_tf.synthesis.quality import fidelity


@pytest.fixture(scope="module")
def random():
    return np.random.default_rng(3)


@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_is_that_of_the_mean_squared_error(random, channels):
    a, b = random.integers(0, 256, (2, 32, 32, channels)).astype(np.uint8)
    error = np.mean((a.astype(float) - b) ** 2)
    assert fidelity.psnr(a, b) == pytest.approx(10 * np.log10(255**2 / error), rel=1e-12)


def test_psnr_of_one_gray_level_everywhere():
    a = np.full((16, 16, 1), 100, np.uint8)
    assert fidelity.psnr(a, a + 1) == pytest.approx(20 * np.log10(255))  # 48.13 dB
    assert fidelity.psnr(a, a) == np.inf


def ssim_by_formula(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al.: an 11 x 11 Gaussian window of sigma 1.5, pixels whose window is inside."""
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(x):
        return correlate1d(correlate1d(x, window, axis=0), window, axis=1)[5:-5, 5:-5]

    a, b = a.astype(float), b.astype(float)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    top = (2 * ma * mb + c1) * (2 * cov + c2)
    return float((top / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean())


def pictures(random, channels: int) -> tuple[np.ndarray, np.ndarray]:
    a = random.integers(0, 256, (40, 40, channels)).astype(np.uint8)
    return a, np.clip(a + random.normal(0, 30, a.shape), 0, 255).astype(np.uint8)


def test_ssim_is_wang_and_others(random):
    a, b = pictures(random, 1)
    assert fidelity.ssim(a, b) == pytest.approx(ssim_by_formula(a[..., 0], b[..., 0]), abs=1e-9)
    assert fidelity.ssim(a, a) == pytest.approx(1)


def test_ssim_in_colour_is_the_mean_over_channels(random):
    a, b = pictures(random, 3)
    each = [ssim_by_formula(a[..., c], b[..., c]) for c in range(3)]
    assert fidelity.ssim(a, b) == pytest.approx(np.mean(each), abs=1e-9)


def test_another_window_would_be_another_figure(random):
    a, b = pictures(random, 1)
    uniform = structural_similarity(a[..., 0], b[..., 0], data_range=255)
    assert abs(fidelity.ssim(a, b) - uniform) > 1e-3


def test_the_mean_is_over_pairs_with_equal_pictures_counted_apart():
    values = np.array([[20, 0.5], [30, 0.7], [np.inf, 1.0]])
    found = fidelity.summarise(values, np.array(list("aab")), seed=0)
    assert found["psnr"]["value"] == 25 and found["psnr"]["n"] == 2
    assert found["psnr"]["identical"] == 1 and found["psnr"]["interval"] is None  # one person
    assert found["ssim"]["value"] == pytest.approx(2.2 / 3) and found["ssim"]["people"] == 2
    assert found["psnr"]["deviation"] == pytest.approx(np.std([20, 30], ddof=1))


def test_without_pairs_there_is_no_figure():
    values = fidelity.compare(np.zeros((0, 32, 32, 1), np.uint8), np.zeros((0, 32, 32, 1)))
    found = fidelity.summarise(values, np.zeros(0, str), seed=0)
    assert found["psnr"]["value"] is None and found["ssim"]["n"] == 0


def test_means_by_name():
    values = np.array([[20, 0.5], [30, 0.7], [10, 0.1]])
    found = fidelity.by_group(values, np.array(["fear", "fear", "anger"]))
    assert found["fear"]["n"] == 2 and found["fear"]["psnr"] == 25
    assert found["anger"] == {"n": 1, "psnr": 10, "ssim": 0.1}
