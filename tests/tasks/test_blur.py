import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks import GaussianDeblurring, MotionDeblurring
from tasks.blur import gaussian_weights
from tasks.operators.camera_shake import draw_path, rasterise
from tasks.operators.convolution import CircularConvolution, ReflectedConvolution


def streams(count: int = 1) -> NoiseStreams:
    return NoiseStreams([SampleKey(0, f"image {i}") for i in range(count)])


def convolve(x: torch.Tensor, kernel: torch.Tensor, mode: str) -> torch.Tensor:
    """The definition: pad, then convolve every channel with the kernel (B,1,K,K) of its sample."""
    half = kernel.shape[-1] // 2
    padded = F.pad(x, [half] * 4, mode=mode)
    kernels = kernel.flip(-2, -1).to(x).expand(-1, x.shape[1], -1, -1)
    rows = [F.conv2d(p[None], k[:, None], groups=len(k)) for p, k in zip(padded, kernels, strict=True)]
    return torch.cat(rows)


@pytest.mark.parametrize(("kernel_size", "sigma"), [(61, 3.0), (9, 1.0), (25, 20.0), (1, 1.0)])
def test_gaussian_blur_is_a_convolution_with_reflected_borders(kernel_size, sigma):
    x = torch.rand(2, 3, 48, 80) * 2 - 1
    weights = gaussian_weights(kernel_size, sigma)
    kernel = torch.outer(weights, weights).expand(2, 1, -1, -1)
    y = GaussianDeblurring(kernel_size, sigma).operator((3, 48, 80), streams()).forward(x)
    torch.testing.assert_close(y, convolve(x, kernel, "reflect"), rtol=0, atol=1e-6)


@given(st.integers(0, 15), st.floats(0.5, 4))
def test_the_gaussian_kernel_is_the_one_that_scipy_samples(half, sigma):
    ndimage = pytest.importorskip("scipy.ndimage")
    half = max(half, int(4 * sigma + 0.5))
    delta = np.zeros(2 * half + 1)
    delta[half] = 1
    expected = ndimage.gaussian_filter(delta, sigma, truncate=4.0)
    np.testing.assert_allclose(gaussian_weights(2 * half + 1, sigma).numpy(), expected, atol=1e-12)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 15, 61]))
def test_a_blurred_constant_is_that_constant_at_every_size(height, width, kernel_size):
    x = torch.full((1, 1, height, width), 0.7)
    blurs = [GaussianDeblurring(kernel_size, 5.0), MotionDeblurring(max(kernel_size, 3))]
    blurs.append(MotionDeblurring(max(kernel_size, 3), padding="circular"))
    for task in blurs:
        y = task.operator((1, height, width), streams()).forward(x)
        torch.testing.assert_close(y, x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("padding", ["reflect", "circular"])
@pytest.mark.parametrize("kernel_size", [3, 15, 61])
def test_motion_blur_is_a_convolution_with_each_images_own_kernel(padding, kernel_size):
    x = torch.rand(3, 3, 48, 80) * 2 - 1
    operator = MotionDeblurring(kernel_size, padding=padding).operator((3, 48, 80), streams(3))
    expected = convolve(x, operator.kernel, padding)
    torch.testing.assert_close(operator.forward(x), expected, rtol=0, atol=1e-5)


def test_a_kernel_larger_than_the_image_wraps_or_mirrors_again_and_again():
    """Against an image that was continued by hand."""
    x, kernel = torch.rand(1, 1, 5, 4, dtype=torch.float64), torch.rand(1, 1, 13, 13, dtype=torch.float64)
    rows, columns = torch.arange(-6, 11), torch.arange(-6, 10)
    tiled = x[..., rows % 5, :][..., columns % 4]
    torch.testing.assert_close(
        CircularConvolution(kernel, (5, 4)).forward(x), F.conv2d(tiled, kernel.flip(-2, -1)), rtol=0, atol=1e-10
    )
    zigzag_rows, zigzag_columns = 4 - (rows % 8 - 4).abs(), 3 - (columns % 6 - 3).abs()
    mirrored = x[..., zigzag_rows, :][..., zigzag_columns]
    torch.testing.assert_close(
        ReflectedConvolution(kernel, (1, 5, 4)).forward(x), F.conv2d(mirrored, kernel.flip(-2, -1)), rtol=0, atol=1e-10
    )


@given(st.integers(1, 40), st.floats(0, 2), st.integers(0, 2**32))
def test_a_motion_kernel_is_a_distribution_with_its_centroid_in_the_middle(half, intensity, seed):
    size = 2 * half + 1
    path = draw_path(size, intensity, np.random.default_rng(seed))
    kernel = rasterise(path, size)
    places = np.arange(size) - half
    assert np.abs(path).max() <= half + 1e-9
    assert (kernel >= 0).all()
    assert kernel.sum() == pytest.approx(1)
    assert places @ kernel.sum(axis=1) == pytest.approx(0, abs=1e-9)
    assert kernel.sum(axis=0) @ places == pytest.approx(0, abs=1e-9)


def test_without_turning_the_path_is_a_straight_line():
    path = draw_path(61, 0.0, np.random.default_rng(0))
    assert np.linalg.svd(path, compute_uv=False)[1] < 1e-9
    assert 30 <= np.linalg.norm(path[-1] - path[0]) <= 60


@pytest.mark.parametrize("task", [GaussianDeblurring, MotionDeblurring])
@pytest.mark.parametrize("kernel_size", [60, 0, -1])
def test_kernels_without_a_middle_are_refused(task, kernel_size):
    with pytest.raises(UserError, match="kernel_size must be odd and at least"):
        task(kernel_size=kernel_size)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("inf"), float("nan")])
def test_an_impossible_sigma_is_refused(sigma):
    with pytest.raises(UserError, match=r"sigma \(pixels\) must be above 0"):
        GaussianDeblurring(sigma=sigma)


def test_an_impossible_shake_is_refused():
    with pytest.raises(UserError, match="intensity must be at least 0"):
        MotionDeblurring(intensity=-0.5)
    with pytest.raises(UserError, match="padding must be reflect or circular, got zeros"):
        MotionDeblurring(padding="zeros")
