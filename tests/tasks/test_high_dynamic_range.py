import math

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks import GaussianNoise, HighDynamicRange

STREAMS = NoiseStreams([SampleKey(0, "a")])
GREYS = torch.tensor([-1.0, -0.6, -0.25, 0.0, 0.25, 0.6, 1.0]).reshape(1, 1, 1, 7)
CLEAN = GaussianNoise(0.0)


def measured(task: HighDynamicRange) -> list[float]:
    return task.measure(Examples(GREYS), STREAMS).y.flatten().tolist()


def gradient(task: HighDynamicRange, estimate: float) -> float:
    """Of the loss of one pixel that was measured as 0."""
    x = torch.full((1, 1, 1, 1), estimate, requires_grad=True)
    measurement = task.measure(Examples(torch.zeros(1, 1, 1, 1)), STREAMS)
    return torch.autograd.grad(task.loss(x, measurement).sum(), x)[0].item()


def test_twice_the_image_is_clipped_at_both_ends():
    assert measured(HighDynamicRange(noise=CLEAN)) == pytest.approx([-1, -1, -0.5, 0, 0.5, 1, 1])


def test_with_an_offset_the_highlights_alone_are_lost():
    """On [0, 1] it is min(2u, 1)."""
    assert measured(HighDynamicRange(2.0, 1.0, noise=CLEAN)) == pytest.approx([-1, -0.2, 0.5, 1, 1, 1, 1])


def test_the_gradient_is_the_scale_inside_and_zero_where_the_estimate_is_clipped():
    task = HighDynamicRange(noise=CLEAN)
    assert gradient(task, 0.3) == pytest.approx(2.0)
    assert gradient(task, -0.3) == pytest.approx(-2.0)
    assert gradient(task, 0.6) == gradient(task, -0.6) == 0.0


@pytest.mark.parametrize("straight_through", [True, False])
def test_no_difference_of_images_is_stretched_by_more_than_the_norm_and_some_by_as_much(straight_through):
    operator = HighDynamicRange(3.0, 0.4, straight_through).operator((1, 1, 7), STREAMS)
    a, b = GREYS, GREYS + 0.125
    stretch = (operator.forward(a) - operator.forward(b)).abs() / 0.125
    assert operator.norm(operator.forward(a)).tolist() == [3.0]
    assert stretch.max().item() == pytest.approx(3.0, rel=1e-5)


def test_straight_through_the_gradient_ignores_the_clipping_and_the_loss_does_not():
    task, plain = HighDynamicRange(straight_through=True, noise=CLEAN), HighDynamicRange(noise=CLEAN)
    assert gradient(task, 0.6) == pytest.approx(2.0)
    assert measured(task) == measured(plain)
    measurement = plain.measure(Examples(GREYS), STREAMS)
    assert torch.equal(task.loss(GREYS.flip(-1), measurement), plain.loss(GREYS.flip(-1), measurement))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_a_scale_that_is_not_above_zero_is_refused(scale):
    with pytest.raises(UserError, match="scale must be above 0 and finite"):
        HighDynamicRange(scale)


def test_an_offset_that_is_not_finite_is_refused():
    with pytest.raises(UserError, match="offset must be finite, got nan"):
        HighDynamicRange(offset=math.nan)
