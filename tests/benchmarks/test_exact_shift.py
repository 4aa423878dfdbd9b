"""The closed forms of mismatch, temperature and splitting agree with what is known of them otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.neighbours.exact.mismatch import Gaussian, bo_ddnm, ddpm, score_of
from benchmarks.neighbours.exact.splitting import TURNED, euler_ends, shape, turned
from benchmarks.neighbours.exact.temperature import ends
from dsg.models.mixture import GaussianMixture


def test_the_posterior_and_its_divergence_are_those_of_the_library_and_of_torch():
    prior = Gaussian(np.array([0.3, -0.2]), np.array([[1.5, 0.4], [0.4, 0.8]]))
    mixture = GaussianMixture([1.0], torch.from_numpy(prior.mean)[None], torch.from_numpy(prior.covariance)[None])
    found = prior.posterior(1.0, 0.3)
    expected = mixture.posterior(torch.tensor([[1.0, 0.0]]), torch.tensor([1.0]), 0.3)
    assert found.mean == pytest.approx(expected.means[0].numpy())
    assert found.covariance == pytest.approx(expected.covariances[0].numpy())
    normals = [
        torch.distributions.MultivariateNormal(torch.from_numpy(law.mean), torch.from_numpy(law.covariance))
        for law in (found, prior)
    ]
    assert found.kl(prior) == pytest.approx(torch.distributions.kl_divergence(*normals).item())
    assert prior.kl(prior) == pytest.approx(0.0)


def test_the_right_score_ends_at_its_own_law_and_bo_ddnm_without_correlation_misses_the_first_coordinate_alone():
    prior = Gaussian.of(0.5, mean=1.0)
    assert prior.kl(ddpm(score_of(prior))) < 1e-3
    alone = Gaussian.of(0.0)
    end, truth = ddpm(bo_ddnm(alone, 1.0, 1.0)), alone.posterior(1.0, 1.0)
    assert end.mean[1] == pytest.approx(truth.mean[1], abs=1e-3)
    assert end.covariance[1, 1] == pytest.approx(truth.covariance[1, 1], abs=2e-2)  # steps are not infinitely fine
    assert end.mean[0] > truth.mean[0] + 0.3  # near y = 1, where the posterior's mean is a half


def test_a_calibrated_guide_gives_the_class_itself():
    found = ends(1.0)
    assert found.reciprocal == pytest.approx(2.0, abs=1e-6)
    assert found.mean == pytest.approx(1.0, abs=1e-9)
    assert found.distance == pytest.approx(0.0, abs=1e-9)
    assert ends(0.25).distance > 0.1


def test_euler_steps_split_below_a_hundred_steps_alone():
    assert (euler_ends(100.0, 50, 201) > 6).mean() > 0.99
    assert euler_ends(100.0, 100, 201).max() < 0.1


def test_without_guidance_the_class_keeps_its_shape():
    grid = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]) * 2**0.5  # covariance I
    weights = np.full(4, 0.25)
    angle, longer, shorter = shape(turned(0.0, grid), weights)
    values = np.linalg.eigvalsh(TURNED)
    assert angle == pytest.approx(45.0, abs=1e-4)
    assert (longer, shorter) == pytest.approx((values[1] ** 0.5, values[0] ** 0.5), abs=1e-4)
