"""A scale for what is coarse and one for what is fine; the pyramid against scipy's filters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from dsg.combiners import ClassifierFree, FrequencyDecoupled
from dsg.combiners.frequency_decoupled import blurred, fine
from dsg.diffusion.kernels import DDIM
from dsg.errors import UserError
from tests.combiners.test_combiners import ClassToy, one_step

PICTURES = torch.randn(2, 3, 10, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def by_scipy(x: np.ndarray) -> np.ndarray:
    for axis in (2, 3):
        x = correlate1d(x, np.array([1, 4, 6, 4, 1]) / 16, axis=axis, mode="nearest")
    return x


def test_the_blur_is_the_binomial_filter_with_repeated_borders():
    assert np.allclose(blurred(PICTURES).numpy(), by_scipy(PICTURES.numpy()))


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (2, 3, 10, 7), (1, 4, 1, 1)])
def test_what_is_flat_has_nothing_fine_in_it(shape):
    assert torch.allclose(fine(torch.full(shape, 0.7, dtype=torch.float64)), torch.zeros(shape, dtype=torch.float64))


def test_a_chequered_pattern_is_all_fine():
    x = (-1.0) ** (torch.arange(16)[:, None] + torch.arange(16)).double()[None, None]
    inside = (..., slice(6, 10), slice(6, 10))
    assert torch.allclose(fine(x)[inside], x[inside])


def test_coarse_and_fine_differences_have_their_own_scales():
    _, _, found, strong, weak = one_step(FrequencyDecoupled(1.5, high_scale=4.0))
    for half in ("clean_estimate", "epsilon"):
        u, delta = getattr(weak, half), getattr(strong, half) - getattr(weak, half)
        expected = u + 1.5 * (delta - fine(delta)) + 4.0 * fine(delta)
        assert torch.allclose(getattr(found, half), expected, atol=1e-4)


def test_only_where_both_scales_are_one_a_step_takes_one_evaluation():
    for low, high, guided in ((1.0, 1.0, False), (1.0, 2.0, True), (2.0, 1.0, True)):
        combiner = FrequencyDecoupled(low, high_scale=high)
        assert combiner.corrects is guided
        found, fallback = one_step(combiner)[2], one_step(ClassifierFree(1.0))[2]
        assert torch.equal(found.epsilon, fallback.epsilon) is not guided


def test_states_that_are_no_pictures_and_scales_that_are_none_are_refused():
    with pytest.raises(UserError, match="high_scale: γ must be at least 0 and finite, got -1"):
        FrequencyDecoupled(2.0, high_scale=-1.0)
    flat = ClassToy()
    flat.shape = (8,)
    with pytest.raises(
        UserError, match=r"FrequencyDecoupled needs states \(C, H, W\), and those of ClassToy are \(8,\)"
    ):
        FrequencyDecoupled(2.0).check(flat, DDIM(1.0))
