"""The closed forms of the long-tailed mixture, against what they are closed forms of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.neighbours.exact.class_balance import Ends, Mixture, balanced, balancing, expected_kl, follow

MIXTURE = Mixture(np.array([0.9, 0.09, 0.01]), np.array([-2.0, 0.0, 2.0]), np.array([1.0, 0.5, 2.0]))
EVEN = np.full(3, 1 / 3)


def test_what_balancing_teaches_is_where_its_loss_stands_still():
    x, a = np.array([-1.0, 0.7, 2.5]), 0.4
    targets, r = (torch.from_numpy(part(x, a)) for part in (MIXTURE.directions, MIXTURE.posterior))
    strength, q = 0.8, torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    h = torch.from_numpy(balanced(targets.numpy(), r.numpy(), q.numpy(), strength)).requires_grad_()
    gap, gap_back = h[:, None] - h.detach()[None], h.detach()[:, None] - h[None]
    pull = (q[None, :, None] * (gap**2 + 0.25 * gap_back**2)).sum(1)
    (r * ((h - targets) ** 2 + strength * pull)).sum().backward()
    torch.testing.assert_close(h.grad, torch.zeros_like(h), atol=1e-12, rtol=0)


def test_at_high_noise_every_class_is_drawn_to_the_marginal_by_one_factor():
    a, x, strength = 1e-4, np.array([-1.0, 0.7]), 0.9
    targets, r = MIXTURE.directions(x, a), MIXTURE.posterior(x, a)
    marginal = MIXTURE.marginal(x, a)
    found = balanced(targets, r, MIXTURE.shares, strength)
    np.testing.assert_allclose(found, marginal + (targets - marginal) / (1 + 1.25 * strength), atol=1e-3)
    np.testing.assert_allclose(marginal + (1 + 1.25 * strength) * (found - marginal), targets, atol=3e-3)


def test_without_strength_nothing_is_balanced_and_labels_that_are_even_draw_the_tail_further():
    x, a = np.array([0.3]), 0.1
    targets, r = MIXTURE.directions(x, a), MIXTURE.posterior(x, a)
    np.testing.assert_allclose(balanced(targets, r, EVEN, 0.0), targets)
    prior, even = (balanced(targets, r, q, 1.0)[2] for q in (MIXTURE.shares, EVEN))
    assert targets[2] > prior > even


def test_the_strength_is_the_share_of_the_time():
    levels = np.cumprod(1 - np.linspace(1e-4, 2e-2, 1000))
    assert balancing(levels[600] ** 0.5, 0.5) == pytest.approx(0.3)
    assert balancing(levels[0] ** 0.5, 1.0) == 0.0


def test_a_fit_of_few_samples_costs_half_a_sample_for_each_parameter():
    assert expected_kl(10_000) == pytest.approx(2 / 20_000, rel=1e-3)
    assert expected_kl(10_000, 3) == pytest.approx((3 + 6) / 20_000, rel=1e-3)
    assert expected_kl(10) == pytest.approx(0.110283, abs=1e-6)


def test_the_ode_of_a_class_ends_in_the_class():
    ends = Ends(61)
    for y in range(3):
        x = follow(lambda x, a, y=y: MIXTURE.directions(x, a)[y], ends.starts)
        assert ends.kl(x, MIXTURE.means[y], MIXTURE.variances[y]) == pytest.approx(0.0, abs=3e-4)
