"""The posterior of latents behind a linear autoencoder, and what is measured against it."""

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.data.mixture_draws import MixtureDraws
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import ExactSamples, Oracle
from dsg.guidance.exact import posteriors
from dsg.metrics.posterior import covariance_error, mean_error
from dsg.models.latent import LatentModel, LinearLatents, RandomLinearAutoencoder
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler

SPREAD = torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64)
PRIOR = GaussianMixture([1.0], torch.ones(1, 3), SPREAD[None])
MODEL = LinearLatents(PRIOR, RandomLinearAutoencoder(3, 10, (2.0, 0.5)))
KEYS = [SampleKey(0, "0000", k) for k in range(400)]


def run(guidance, model=MODEL, steps=30):
    """Latents, and the posterior that they should come from."""
    task, data = tasks.RandomProjection(2), MixtureDraws(limit=1)
    data.bind(model)
    image = data.load("0000").image
    sampler = Sampler(model, task, guidance, DDIM(), steps, clip_denoised=False)
    process = sampler.begin(Examples(image.expand(len(KEYS), -1)), NoiseStreams(KEYS))
    *_, record = sampler.run(process)
    ((_, posterior),) = posteriors(model, process.measurement, [key.image_id for key in KEYS], 1.0)
    return record.x_prev, posterior, process


def test_the_posterior_of_a_gaussian_is_the_one_of_the_textbook():
    _, posterior, process = run(ExactSamples())
    A, y = process.measurement.operator.matrix()[0].double(), process.measurement.y[0].double()
    H = A @ MODEL.autoencoder.matrix
    precision = torch.diag(1 / SPREAD) + H.T @ H
    mean = torch.linalg.solve(precision, H.T @ (y - A @ MODEL.autoencoder.mean) + torch.ones(3).double() / SPREAD)
    assert torch.allclose(posterior.means[0], mean, atol=1e-6)
    assert torch.allclose(posterior.covariances[0], torch.linalg.inv(precision), atol=1e-6)


@pytest.mark.parametrize("guidance", [ExactSamples(), Oracle()], ids=lambda g: type(g).__name__)
def test_the_floors_draw_latents_of_the_posterior(guidance):
    samples, posterior, _ = run(guidance)
    assert mean_error(samples, posterior) < 0.15
    assert covariance_error(samples, posterior) < 0.25


def test_columns_of_a_random_autoencoder_are_orthogonal_and_scaled():
    W = RandomLinearAutoencoder(3, 10, (4.0, 1.0), seed=5).matrix
    assert torch.allclose(W.T @ W, torch.diag(torch.tensor([16.0, 4.0, 1.0], dtype=torch.float64)), atol=1e-9)
    with pytest.raises(UserError, match="latent_dimension ≤ image_dimension"):
        RandomLinearAutoencoder(4, 3)


def test_the_posterior_of_other_latents_is_not_known():
    with pytest.raises(UserError, match="take LatentModel"):
        LinearLatents(LatentModel(PRIOR, MODEL.autoencoder), MODEL.autoencoder)
    plain = LatentModel(PRIOR, MODEL.autoencoder)
    with pytest.raises(UserError, match="LinearLatents of one"):
        Sampler(plain, tasks.RandomProjection(2), Oracle())
    with pytest.raises(UserError, match="MixtureDraws"):
        MixtureDraws().bind(plain)
