"""The roll is a spiral, of three classes by angle, known exactly."""

import math

import pytest
import torch

from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.mixture import SwissRoll

LEVEL = NoiseLevel.from_alpha_bar(500.0, 0.7)


def angles(x: torch.Tensor, scale: float = 7.0) -> torch.Tensor:
    """Of a point on the spiral: its distance from the centre."""
    return x.norm(dim=1) * scale


def test_the_points_lie_on_the_spiral_from_one_and_a_half_to_four_and_a_half_pi():
    means = SwissRoll().means
    theta = angles(means)
    assert theta.min() > 1.5 * math.pi
    assert theta.max() < 4.5 * math.pi
    torch.testing.assert_close(means, theta[:, None] / 7 * torch.stack([theta.cos(), theta.sin()], 1))


def test_a_seed_gives_the_same_roll_and_another_seed_another():
    assert torch.equal(SwissRoll(seed=3).means, SwissRoll(seed=3).means)
    assert not torch.equal(SwissRoll(seed=3).means, SwissRoll(seed=4).means)


def test_the_classes_are_equal_parts_of_the_angle_from_the_inside_out():
    roll = SwissRoll(num_classes=3)
    assert roll.num_classes == 3
    for label in range(3):
        samples = roll.sample(500, torch.Generator().manual_seed(0), torch.full((500,), label))
        theta = angles(samples) / math.pi - 1.5  # a part is π wide, and the bandwidth of .05 is .35 radians
        assert ((theta > label - 0.5) & (theta < label + 1.5)).all()
        assert theta.mean().item() == pytest.approx(label + 0.5, abs=0.06)


def test_the_classifier_knows_the_part_that_a_clean_point_is_in():
    roll = SwissRoll()
    theta = torch.tensor([2.0, 3.0, 4.0]) * math.pi
    x = theta[:, None] / 7 * torch.stack([theta.cos(), theta.sin()], 1)
    assert (roll.classifier_log_prob(x, torch.arange(3)).exp() > 0.99).all()


def test_the_data_have_about_unit_variance_in_each_coordinate():
    samples = SwissRoll().sample(4000, torch.Generator().manual_seed(0))
    assert ((samples.var(0) > 0.7) & (samples.var(0) < 1.4)).all()


@pytest.mark.parametrize("label", [None, 1])
def test_the_score_is_the_numerical_gradient_of_the_log_density(label):
    roll = SwissRoll(points=300)
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    condition = None if label is None else torch.full((5,), label)
    for axis, step in enumerate(1e-5 * torch.eye(2, dtype=torch.float64)):
        up, down = (roll.log_prob(x + sign * step, LEVEL, condition) for sign in (1, -1))
        torch.testing.assert_close(roll.score(x, LEVEL, condition)[:, axis], (up - down) / 2e-5, rtol=1e-5, atol=1e-6)


def test_the_denoiser_is_the_posterior_mean_by_bayes_over_the_points():
    """With x_0 = point + h z, E[x_0|x_t] by weights of N(x_t; a point, a²h² + σ²) and each point's own regression."""
    roll, x = SwissRoll(points=40, num_classes=1, bandwidth=0.2), torch.tensor([[0.4, -1.0]], dtype=torch.float64)
    a, variance = 0.7**0.5, 0.7 * 0.04 + 0.3
    weights = torch.softmax(-(x - a * roll.means).square().sum(1) / (2 * variance), 0)
    expected = weights @ (roll.means + a * 0.04 / variance * (x - a * roll.means))
    torch.testing.assert_close(roll.denoise(x, LEVEL)[0], expected)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"points": 0}, "at least 1"),
        ({"bandwidth": 0.0}, "positive"),
        ({"scale": -1.0}, "positive"),
        ({"points": 4, "num_classes": 5}, "more points"),
    ],
)
def test_what_makes_no_roll_is_refused(arguments, word):
    with pytest.raises(UserError, match=word):
        SwissRoll(**arguments)
