"""The intervals' closed forms agree with quadrature and autograd, in the tails too."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.intervals import UniformIntervals

ALPHA_BARS = [0.002, 0.3, 0.9, 0.999]
INTERVALS, WEIGHTS = [(-2.0, -1.0), (0.5, 0.8), (1.0, 2.0)], [0.2, 0.5, 0.3]
X = torch.tensor([[-2.3], [-0.2], [0.7], [1.9]], dtype=torch.float64)


def model() -> UniformIntervals:
    return UniformIntervals(INTERVALS, WEIGHTS)


def moments(x: float, level: NoiseLevel, classes: list[int]) -> tuple[float, float]:
    """(p_t(x), E[x_0 | x]) by quadrature over x_0, the weights of `classes` normalised."""
    a, sigma, total = level.alpha_bar**0.5, (1 - level.alpha_bar) ** 0.5, sum(WEIGHTS[c] for c in classes)
    parts = np.zeros(2)
    for c in classes:
        low, high = INTERVALS[c]
        middle = [float(np.clip(x / a, low, high))]
        for k in (0, 1):
            value = quad(lambda z, k=k: z**k * norm.pdf(x, a * z, sigma), low, high, points=middle, epsabs=0)[0]
            parts[k] += WEIGHTS[c] / total / (high - low) * value
    return parts[0], parts[1] / max(parts[0], 1e-320)


@pytest.mark.parametrize("alpha_bar", ALPHA_BARS)
@pytest.mark.parametrize("label", [None, 0, 2])
def test_density_and_denoiser_are_those_of_quadrature(alpha_bar, label):
    level, x = NoiseLevel.from_alpha_bar(1.0, alpha_bar), X * alpha_bar**0.5
    condition = None if label is None else torch.full((len(x),), label)
    expected = np.array([moments(v, level, [0, 1, 2] if label is None else [label]) for v in x[:, 0].tolist()])
    possible = expected[:, 0] > 0  # quadrature underflows where the closed form does not
    found = model().log_prob(x, level, condition), model().denoise(x, level, condition)[:, 0]
    np.testing.assert_allclose(found[0][possible], np.log(expected[possible, 0]), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(found[1][possible], expected[possible, 1], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("alpha_bar", ALPHA_BARS)
@pytest.mark.parametrize("label", [None, 1])
def test_the_score_is_the_gradient_of_the_log_density(alpha_bar, label):
    level, x = NoiseLevel.from_alpha_bar(1.0, alpha_bar), X.clone().requires_grad_()
    condition = None if label is None else torch.full((len(x),), label)
    (gradient,) = torch.autograd.grad(model().log_prob(x, level, condition).sum(), x)
    torch.testing.assert_close(model().score(x, level, condition), gradient, rtol=1e-7, atol=1e-7)


def test_far_outside_the_score_pulls_to_the_nearest_edge():
    level, x = NoiseLevel.from_alpha_bar(1.0, 0.36), torch.tensor([[-500.0], [500.0]])
    expected = torch.tensor([[(500 - 1.2) / 0.64], [-(500 - 1.2) / 0.64]]).double()
    torch.testing.assert_close(model().score(x, level), expected, rtol=1e-4, atol=0)
    assert model()(x, level, ClassLabels(torch.tensor([2, 0]))).epsilon.isfinite().all()


@pytest.mark.parametrize("alpha_bar", ALPHA_BARS)
def test_bayes_rule_holds_between_the_classes_and_the_whole(alpha_bar):
    level, labels = NoiseLevel.from_alpha_bar(1.0, alpha_bar), [torch.full((len(X),), c) for c in range(3)]
    classified = torch.stack([model().classifier_log_prob(X, c, level) for c in labels])
    joint = torch.stack([model().log_prob(X, level, c) + np.log(w) for c, w in zip(labels, WEIGHTS, strict=True)])
    torch.testing.assert_close(classified.exp().sum(0), torch.ones(len(X)).double())
    torch.testing.assert_close(classified, joint - model().log_prob(X, level))


def test_samples_of_a_class_fill_its_interval_and_clean_points_are_told_apart():
    labels = torch.arange(3).repeat(2000)
    samples = model().sample(6000, torch.Generator().manual_seed(0), labels)
    for c, (low, high) in enumerate(INTERVALS):
        own = samples[labels == c, 0]
        assert low <= own.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < own.max() <= high
    assert (model().classifier_log_prob(samples, labels) == 0).all()
    drawn = model().sample(6000, torch.Generator().manual_seed(1))
    share = ((drawn > 0.5) & (drawn < 0.8)).double().mean()
    assert share.item() == pytest.approx(0.5, abs=0.03)


def test_the_prediction_is_the_scaled_score_in_float32_and_differentiable():
    x = X.float().requires_grad_()
    level = NoiseLevel.from_alpha_bar(1.0, 0.6)
    epsilon = model()(x, level).epsilon
    torch.testing.assert_close(epsilon.detach(), (-(0.4**0.5) * model().score(X, level)).float())
    epsilon.sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"intervals": [(1.0, 1.0)]}, "low < high"),
        ({"intervals": []}, "low < high"),
        ({"intervals": [(0.0, 1.0)], "weights": [0.0]}, "positive"),
        ({"intervals": [(0.0, 1.0)], "weights": [1.0, 1.0]}, "1 positive"),
    ],
)
def test_what_is_no_interval_is_refused(arguments, word):
    with pytest.raises(UserError, match=word):
        UniformIntervals(**arguments)


@pytest.mark.parametrize("log_snr", [-math.inf, -70.0, -50.0, -36.0, -25.0, -19.0, -15.0])
def test_deep_in_the_noise_the_estimate_is_the_mean_and_a_first_order(log_snr):
    """Of U[−2, −1] and U[1, 2]: E x_0 = 0, Var x_0 = 1/12 + 9/4."""
    level, x = NoiseLevel(1.0, log_snr), torch.tensor([[0.7], [-1.3]], dtype=torch.float64)
    expected = level.signal * (1 / 12 + 9 / 4) * x
    found = UniformIntervals()(x, level)
    torch.testing.assert_close(found.clean_estimate.double(), expected, atol=1e-6, rtol=1e-3)
    together = level.signal * found.clean_estimate + level.noise * found.epsilon
    torch.testing.assert_close(together, x.float(), atol=1e-6, rtol=0)


def test_at_the_clean_end_both_halves_stay_finite():
    found = UniformIntervals()(torch.tensor([[1.5], [-1.2]]), NoiseLevel(0.0, 40.0))
    torch.testing.assert_close(found.clean_estimate, torch.tensor([[1.5], [-1.2]]))
    assert found.epsilon.isfinite().all()
