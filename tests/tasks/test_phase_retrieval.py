import math

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks import GaussianNoise, PhaseRetrieval
from tasks.phase_retrieval import FourierMagnitude

STREAMS = NoiseStreams([SampleKey(0, "a")])


def images(*shape: int) -> torch.Tensor:
    return torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(("side", "padded"), [(256, 384), (64, 96), (16, 24)])
def test_an_oversampling_of_two_makes_a_side_half_as_long_again(side, padded):
    operator = PhaseRetrieval().operator((3, side, side), STREAMS)
    assert operator.forward(torch.zeros(1, 3, side, side)).shape[-2:] == (padded, padded)


def test_sides_that_differ_are_padded_each_by_its_own_share():
    y = PhaseRetrieval().measure(Examples(images(16, 40)), STREAMS).y
    assert y.shape == (1, 3, 24, 60)


def test_the_magnitudes_hold_the_energy_of_the_image_on_zero_to_one():
    """The transform is orthonormal (Parseval)."""
    x = images(16, 24)
    y = FourierMagnitude(4, 6).forward(x)
    torch.testing.assert_close(y.square().sum(), ((x + 1) / 2).square().sum())


@pytest.mark.parametrize("change", ["shifted inside the zeros", "turned by 180 degrees"])
def test_two_images_that_magnitudes_cannot_tell_apart_have_the_same_measurement(change):
    x = torch.full((1, 3, 16, 16), -1.0)
    x[..., 4:10, 3:12] = images(6, 9)
    other = x.roll((2, -3), (-2, -1)) if change.startswith("shifted") else x.flip(-2, -1)
    operator = FourierMagnitude(4, 4)
    assert not torch.allclose(other, x)
    torch.testing.assert_close(operator.forward(other), operator.forward(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0], ids=["black", "grey", "white"])
def test_the_gradient_is_finite_where_magnitudes_vanish(value):
    task = PhaseRetrieval()
    measurement = task.measure(Examples(images(16, 16)), STREAMS)
    estimate = torch.full((1, 3, 16, 16), value, requires_grad=True)
    (gradient,) = torch.autograd.grad(task.loss(estimate, measurement).sum(), estimate)
    assert gradient.isfinite().all()


def test_the_gradient_is_that_of_finite_differences():
    task = PhaseRetrieval(noise=GaussianNoise(0.1))
    measurement = task.measure(Examples(images(8, 8).double()), STREAMS)
    start = images(8, 8).double().flip(-1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: task.loss(x, measurement), start)


def test_the_picture_has_its_zero_frequency_in_the_middle_and_one_scale_for_all_images():
    task = PhaseRetrieval(noise=GaussianNoise(0.0))
    white, black = (task.picture(task.measure(Examples(torch.full((1, 3, 16, 16), v)), STREAMS)) for v in (1.0, -1.0))
    assert white.shape == (1, 3, 24, 24)
    torch.testing.assert_close(white[..., 12, 12], torch.ones(1, 3))
    assert (black == -1).all()
    assert white.max() <= 1


@pytest.mark.parametrize("oversampling", [-1.0, math.inf, math.nan])
def test_a_padding_that_is_none_is_refused(oversampling):
    with pytest.raises(UserError, match="oversampling must be at least 0 and finite"):
        PhaseRetrieval(oversampling)


def test_what_is_no_image_is_refused():
    with pytest.raises(UserError, match=r"PhaseRetrieval: needs images of shape \(C,H,W\), got \(5,\)"):
        PhaseRetrieval().check((5,))
