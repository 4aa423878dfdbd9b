"""The exact numbers of discriminators and of switches, against one another and against simulation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.neighbours.discriminators.linear_logit import Noised, Problem, features
from benchmarks.neighbours.exact.discriminator import (
    TIME,
    distance_of_map,
    gaussian_kl,
    kl_of_map,
    ode_kl,
    ode_map,
    sde_law,
)
from benchmarks.neighbours.exact.score_slope import variances
from benchmarks.neighbours.exact.switching import (
    balanced_time,
    half_way,
    judged_share,
    ode_share,
    sde_share,
    unequal_drive,
)
from dsg.diffusion.schedule import NoiseSchedule


@pytest.mark.parametrize("k", [1, 4])
def test_the_map_of_the_oscillating_error_is_the_solution_of_its_equation(k):
    z = np.linspace(-3, 3, 13)
    y, steps = z.copy(), 20_000
    for _ in range(steps):
        middle = y + TIME / steps / 4 * np.sqrt(k) * np.cos(k * y)
        y = y + TIME / steps / 2 * np.sqrt(k) * np.cos(k * middle)
    end, log_slope = ode_map(k, z)
    np.testing.assert_allclose(end, y, atol=1e-6)
    apart = (ode_map(k, z + 1e-5)[0] - ode_map(k, z - 1e-5)[0]) / 2e-5
    np.testing.assert_allclose(log_slope, np.log(apart), atol=1e-6)


def test_the_kl_of_a_map_s_cells_is_that_of_its_density():
    z = np.linspace(-6, 6, 801)
    assert kl_of_map(z, 0.3 + 0.5 * z) == pytest.approx(gaussian_kl(0.3, 0.25), abs=1e-4)
    assert kl_of_map(z, ode_map(4, z)[0]) == pytest.approx(ode_kl(4), rel=1e-4)
    assert distance_of_map(z, z + 0.3) == pytest.approx(0.3, abs=1e-4)
    with pytest.raises(ValueError, match="does not rise"):
        kl_of_map(z, -z)


def test_the_density_of_the_sde_is_that_of_its_simulation_and_converges():
    kl, mean = sde_law(4, cells=2000, steps=200)
    assert kl == pytest.approx(sde_law(4, cells=1000, steps=100)[0], rel=1e-4)
    x, steps = torch.randn(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 200
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        drift = -x / 2 + 2 * torch.cos(4 * x)
        x = x + TIME / steps * drift + (TIME / steps) ** 0.5 * torch.randn(len(x), generator=generator).double()
    seen = torch.sin(4 * x)
    assert abs(seen.mean().item() - mean) < 3 * (seen.std() / len(x) ** 0.5).item() + 0.005


@pytest.mark.parametrize("delta", [0.5, -0.3])
def test_the_best_discriminator_of_noised_samples_repairs_the_ode_of_a_gaussian_and_not_the_sde(delta):
    late, early = (0.0, np.log(2)), (np.log(2), 3 * np.log(2))
    for window in (late, early):
        alone, noised, own = variances(delta, window, "ODE")
        assert alone == pytest.approx(np.exp(-delta * (window[1] - window[0])), abs=1e-6)
        assert noised == pytest.approx(1.0, abs=1e-6)
        assert abs(own - 1) > 0.05
        assert abs(variances(delta, window, "SDE")[1] - 1) > 0.005
    limit = 1 / (1 + 2 * delta)
    expected = limit + (1 - limit) * 0.5 ** (1 + 2 * delta)
    assert variances(delta, late, "SDE")[0] == pytest.approx(expected, abs=1e-6)


def test_half_way_is_half_and_there_the_judge_is_undecided():
    for s in (0.1, 1.0):
        assert ode_share(half_way(s), s) == pytest.approx(0.5)
        assert sde_share(half_way(s, stochastic=True), s) == pytest.approx(0.5)
    assert judged_share(0.5, 0.3, 2.0) == pytest.approx(0.5)
    assert judged_share(1.0, 1.0, 2.0) == pytest.approx(0.841345, abs=1e-6)


def test_slopes_of_features_are_their_derivatives_and_newton_ends_where_the_loss_is_least():
    x, log_snr = torch.linspace(-2, 2, 9, dtype=torch.float64), torch.linspace(-9, 9, 9, dtype=torch.float64)
    step = (features(x + 1e-5, log_snr) - features(x - 1e-5, log_snr)) / 2e-5
    torch.testing.assert_close(features(x, log_snr, slopes=True), step, atol=1e-8, rtol=1e-6)
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(2, 40, generator=generator, dtype=torch.float64)
    real, false = Noised.of(draws[0], 400, generator), Noised.of(0.5 + draws[1], 400, generator)
    for loss in ("cross-entropy", "refined", "both"):
        problem = Problem(real, false, torch.zeros_like(real.x_t), loss)
        theta = problem.best(1e-2).requires_grad_()
        least = problem.value(theta.detach()) + 5e-3 * float(theta.detach().square().sum())
        for seed in range(3):
            other = theta.detach() + 0.01 * torch.randn(len(theta), generator=torch.Generator().manual_seed(seed))
            assert problem.value(other) + 5e-3 * float(other.square().sum()) > least


def test_the_published_search_answers_the_same_whichever_of_two_unlike_groups_is_the_first():
    alpha_bar = NoiseSchedule().alpha_bar
    one, other = (balanced_time(unequal_drive(alpha_bar, *s)) for s in ((0.3, 1.0), (1.0, 0.3)))
    assert one == other == 260
    assert abs(ode_share(alpha_bar[one], 1.0) - 0.5) > 0.2
