"""What a fused U-Net does between its convolutions, against plain formulas and finite differences."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from dsg.models.fused.norm import norm_silu
from dsg.models.fused.resample import pool, spread

# (images, channels, height, width), channels of the first part, groups, whether gain and shift are an image's own
CASES = [
    ((2, 12, 5, 7), 12, 4, True),
    ((3, 20, 16, 16), 8, 4, False),  # a group lies across both parts
    ((1, 96, 8, 8), 48, 32, True),
    ((2, 70, 6, 6), 70, 7, False),
]


def drawn(shape, first, own, dtype=torch.float32):
    """Parts away from 0, gain, shift and offset."""
    images, channels, height, width = shape
    generator = torch.Generator().manual_seed(channels)

    def normal(*size):
        return torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)

    widths = [first, channels - first] if first < channels else [first]
    parts = [(5 + 3 * normal(images, c, height, width)).contiguous(memory_format=torch.channels_last) for c in widths]
    row = (images, channels) if own else (channels,)
    return tuple(p.requires_grad_() for p in parts), normal(*row), normal(*row), normal(images, channels)


def by_the_formula(parts, gain, shift, groups, eps, offset, silu):
    x = torch.cat(parts, dim=1) + offset[:, :, None, None]
    h = F.group_norm(x, groups, eps=eps) * gain.reshape(-1, x.shape[1], 1, 1) + shift.reshape(-1, x.shape[1], 1, 1)
    return F.silu(h) if silu else h


@pytest.fixture
def kernels():
    """Those of a GPU, computed here by Triton's interpreter."""
    pytest.importorskip("triton", reason="torch for this system comes without Triton")
    if torch.cuda.is_available():
        pytest.skip("a GPU computes them itself, in tests/gpu")
    from dsg.models.fused.kernels import Kernels

    return Kernels()


@pytest.mark.parametrize("silu", [True, False])
@pytest.mark.parametrize(("shape", "first", "groups", "own"), CASES)
def test_norm_and_silu_are_their_formula_and_the_backward_is_its_derivative(shape, first, groups, own, silu):
    parts, gain, shift, offset = drawn(shape, first, own, torch.float64)
    found = norm_silu(parts, gain, shift, groups, 1e-5, offset, silu)
    torch.testing.assert_close(found, by_the_formula(parts, gain, shift, groups, 1e-5, offset, silu))
    few = tuple(part.detach()[:, :, :2, :3].requires_grad_() for part in parts)
    assert torch.autograd.gradcheck(lambda *x: norm_silu(x, gain, shift, groups, 1e-5, offset, silu), few)


@pytest.mark.parametrize("silu", [True, False])
@pytest.mark.parametrize(("shape", "first", "groups", "own"), CASES)
def test_the_kernels_of_a_gpu_give_the_plain_norm_and_its_gradient(kernels, shape, first, groups, own, silu):
    parts, gain, shift, offset = drawn(shape, first, own)
    arguments = (gain, shift, groups, 1e-5, offset, silu)
    expected, found = norm_silu(parts, *arguments), kernels.norm_silu(parts, *arguments)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)
    weights = torch.linspace(-1, 1, found.numel()).reshape(found.shape)
    gradients = [torch.autograd.grad((y * weights).sum(), parts) for y in (expected, found)]
    torch.testing.assert_close(gradients[1], gradients[0], atol=2e-5, rtol=1e-4)


def test_a_kernels_variance_far_from_zero_loses_no_digits(kernels):
    x = (1e3 + torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))).contiguous(
        memory_format=torch.channels_last
    )
    ones, zeros = torch.ones(4), torch.zeros(4)
    exact = F.group_norm(x.double(), 2, eps=1e-5).float()
    torch.testing.assert_close(kernels.norm_silu((x,), ones, zeros, 2, 1e-5, None, False), exact, atol=1e-3, rtol=0)


@pytest.mark.parametrize("terms", [1, 2])
def test_the_kernel_adds_what_came_before_the_convolution_and_the_bias_and_hands_the_gradient_on(kernels, terms):
    from dsg.models.fused.convolution import Convolution

    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(2, 5, 4, 3, generator=generator).requires_grad_() for _ in range(terms + 1)]
    convolution = Convolution(torch.nn.Conv2d(5, 5, 1)).requires_grad_(False)
    *before, h = maps
    found = kernels.add(tuple(before), h, convolution)
    expected = sum(before) + convolution(h, convolution.bias)
    torch.testing.assert_close(found, expected)
    for one, other in zip(*(torch.autograd.grad(y.square().sum(), maps) for y in (found, expected)), strict=True):
        torch.testing.assert_close(one, other)


def test_pooling_and_spreading_are_the_mean_and_the_repetition_and_each_the_others_backward():
    x = torch.randn(2, 3, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.equal(pool(x), F.avg_pool2d(x, 2))
    assert torch.equal(spread(x), x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))
    assert torch.autograd.gradcheck(pool, (x,))
    assert torch.autograd.gradcheck(spread, (x,))
