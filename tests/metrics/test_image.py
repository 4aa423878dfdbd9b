"""PSNR and SSIM say of each image what their definitions say of it alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import convolve2d

from dsg.metrics.image import SSIM_WINDOW, psnr, ssim
from dsg.metrics.least_size import why_too_small

PAIR = Path(__file__).parents[1] / "data" / "ssim_border"
SCIKIT_IMAGE = {"psnr": 24.536078744455423, "ssim": 0.6682558075641628}
"""Of `PAIR` by scikit-image 0.26: gaussian_weights, sigma 1.5, use_sample_covariance false, data_range 1."""


def images(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def read(name: str) -> np.ndarray:
    """(64,64,3) in [0, 1]."""
    return np.asarray(Image.open(PAIR / name).convert("RGB")).astype(float) / 255


def batch(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float()


def ssim_by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004, eq. 13, at every window that lies inside the image; (H,W,C) in [0, 1]."""
    along = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(along, along) / along.sum() ** 2
    values = []
    for a, b in zip(np.moveaxis(x, -1, 0), np.moveaxis(y, -1, 0), strict=True):
        mean_a, mean_b, aa, bb, ab = (convolve2d(z, window, mode="valid") for z in (a, b, a * a, b * b, a * b))
        variances, covariance = aa - mean_a**2 + bb - mean_b**2, ab - mean_a * mean_b
        likeness = (2 * mean_a * mean_b + 0.01**2) * (2 * covariance + 0.03**2)
        values.append(likeness / ((mean_a**2 + mean_b**2 + 0.01**2) * (variances + 0.03**2)))
    return float(np.mean(values))


def test_ssim_is_the_mean_over_windows_inside_the_image_as_scikit_image_computes_it():
    x, y = read("sample.png"), read("truth.png")
    assert ssim_by_definition(x, y) == pytest.approx(SCIKIT_IMAGE["ssim"], abs=1e-9)
    assert ssim(batch(x), batch(y)).item() == pytest.approx(SCIKIT_IMAGE["ssim"], abs=1e-4)


@pytest.mark.parametrize(("height", "width", "channels"), [(11, 11, 3), (12, 31, 1), (40, 17, 3)])
def test_ssim_of_any_size_and_of_one_channel_is_that_of_the_definition(height, width, channels):
    noise = np.random.default_rng(height)
    y = noise.uniform(size=(height, width, channels))
    x = (y + 0.2 * noise.standard_normal(y.shape)).clip(0, 1)
    assert ssim(batch(x), batch(y)).item() == pytest.approx(ssim_by_definition(x, y), abs=1e-5)


def test_where_scikit_image_is_installed_it_says_the_same():
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
    x, y = read("sample.png"), read("truth.png")
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": -1}
    found = metrics.structural_similarity(x, y, data_range=1.0, **how)
    assert ssim(batch(x), batch(y)).item() == pytest.approx(found, abs=1e-4)
    found = metrics.peak_signal_noise_ratio(y, x, data_range=1.0)
    assert psnr(batch(x), batch(y)).item() == pytest.approx(found, abs=1e-4)


def test_psnr_is_minus_ten_times_the_logarithm_of_the_mean_squared_error():
    x, y = read("sample.png"), read("truth.png")
    assert psnr(batch(x), batch(y)).item() == pytest.approx(-10 * math.log10(((x - y) ** 2).mean()), abs=1e-4)
    assert psnr(batch(x), batch(y)).item() == pytest.approx(SCIKIT_IMAGE["psnr"], abs=1e-4)


def test_psnr_is_of_each_image_and_not_pooled_over_the_batch():
    reference = images(2)
    sample = reference.clone()
    sample[0] += 0.1
    sample[1] += 0.01
    assert psnr(sample, reference).tolist() == pytest.approx([20.0, 40.0], abs=1e-3)


def test_psnr_of_equal_images_is_infinite():
    assert psnr(images(1), images(1)).tolist() == [math.inf]


def test_ssim_of_an_image_is_independent_of_its_batch():
    reference = images(4)
    sample = (reference + 0.2 * torch.randn(reference.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    sample[3] = 0.01 * sample[3]
    together = ssim(sample, reference)
    alone = torch.cat([ssim(sample[i : i + 1], reference[i : i + 1]) for i in range(4)])
    assert together.shape == (4,)
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(ssim(reference, reference), torch.ones(4))


@pytest.mark.parametrize(("shape", "fits"), [((3, 11, 11), True), ((3, 10, 64), False), ((1, 64, 10), False)])
def test_the_shorter_side_decides_whether_a_picture_is_too_small(shape, fits):
    reason = why_too_small(SSIM_WINDOW, shape)
    assert (reason is None) == fits
    if reason:
        assert reason == f"wants pictures of at least 11x11 pixels, and the model's are {shape[2]}x{shape[1]}"
