"""The mixture's closed forms agree with each other, with autograd and with quadrature."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.mixture import GaussianMixture

levels = st.floats(1e-4, 0.9999).map(lambda alpha_bar: NoiseLevel.from_alpha_bar(500.0, alpha_bar))
kinds = st.sampled_from(["shared", "isotropic", "diagonal", "full"])
seeds = st.integers(0, 1000)
LEVEL = NoiseLevel.from_alpha_bar(500.0, 0.6)


def random_mixture(kind: str, seed: int, k: int = 3, d: int = 4) -> GaussianMixture:
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(k, d, d, generator=generator, dtype=torch.float64)
    covariances = {
        "shared": torch.tensor(0.7),
        "isotropic": root[:, 0, 0] ** 2 + 0.1,
        "diagonal": root[:, 0] ** 2 + 0.1,
        "full": root @ root.mT + 0.1 * torch.eye(d),
    }[kind]
    weights, means = torch.rand(k, generator=generator) + 0.1, 2 * torch.randn(k, d, generator=generator)
    return GaussianMixture(weights, means, covariances, classes=[0, 1, 0])


def points(seed: int, n: int = 3, d: int = 4) -> torch.Tensor:
    return 2 * torch.randn(n, d, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)


@settings(max_examples=30)
@given(kinds, levels, seeds, st.booleans())
def test_the_score_is_the_gradient_of_the_log_density(kind, level, seed, conditional):
    mixture, x = random_mixture(kind, seed), points(seed).requires_grad_()
    condition = torch.tensor([0, 1, 0]) if conditional else None
    (gradient,) = torch.autograd.grad(mixture.log_prob(x, level, condition).sum(), x)
    torch.testing.assert_close(mixture.score(x, level, condition), gradient)


@settings(max_examples=30)
@given(kinds, levels, seeds, st.booleans())
def test_the_denoiser_is_tweedie_s_formula(kind, level, seed, conditional):
    mixture, x = random_mixture(kind, seed), points(seed)
    condition = torch.tensor([0, 1, 0]) if conditional else None
    tweedie = (x + (1 - level.alpha_bar) * mixture.score(x, level, condition)) / level.alpha_bar**0.5
    torch.testing.assert_close(mixture.denoise(x, level, condition), tweedie, atol=1e-8, rtol=1e-6)


@settings(max_examples=20)
@given(kinds, st.floats(0.01, 0.99), seeds)
def test_the_denoising_covariance_is_the_denoiser_s_jacobian(kind, alpha_bar, seed):
    mixture, x, level = random_mixture(kind, seed), points(seed, n=1), NoiseLevel.from_alpha_bar(1.0, alpha_bar)
    jacobian = torch.autograd.functional.jacobian(lambda z: mixture.denoise(z, level)[0], x)[:, 0]
    covariance = mixture.denoising_covariance(x, level)[0]
    torch.testing.assert_close(covariance, (1 - alpha_bar) / alpha_bar**0.5 * jacobian, atol=1e-8, rtol=1e-6)


@settings(max_examples=20)
@given(kinds, levels, seeds)
def test_the_density_is_the_one_of_torch_distributions(kind, level, seed):
    mixture, x = random_mixture(kind, seed), points(seed)
    covariances = level.alpha_bar * mixture.covariances + (1 - level.alpha_bar) * torch.eye(4)
    parts = torch.distributions.MultivariateNormal(level.alpha_bar**0.5 * mixture.means, covariances)
    reference = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(mixture.mixture_weights), parts)
    torch.testing.assert_close(mixture.log_prob(x, level), reference.log_prob(x), atol=1e-8, rtol=1e-6)


@settings(max_examples=20)
@given(levels, seeds)
def test_bayes_rule_holds_between_the_classes_and_the_whole(level, seed):
    mixture, x = random_mixture("full", seed), points(seed)
    prior = torch.stack([mixture.mixture_weights[[0, 2]].sum(), mixture.mixture_weights[1]]).log()
    joint = [mixture.log_prob(x, level, torch.full((3,), c)) + prior[c] for c in (0, 1)]
    evidence = mixture.log_prob(x, level)
    torch.testing.assert_close(torch.logaddexp(*joint), evidence)
    for c in (0, 1):
        classified = mixture.classifier_log_prob(x, torch.full((3,), c), level)
        torch.testing.assert_close(classified, joint[c] - evidence, atol=1e-9, rtol=1e-6)


def test_a_standard_normal_is_left_alone_by_the_forward_process():
    model, x = GaussianMixture.standard_normal((3, 4, 4)), torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(model.score(x, LEVEL), -x.double())
    torch.testing.assert_close(model(x, LEVEL).epsilon, 0.4**0.5 * x)
    assert model(x, LEVEL).epsilon.dtype == torch.float32


def test_one_gaussian_is_denoised_by_the_wiener_filter():
    model, x = GaussianMixture([1.0], [[1.0, -2.0]], [[4.0, 0.25]]), torch.tensor([[0.3, 0.7]])
    s, mu = torch.tensor([4.0, 0.25]), torch.tensor([1.0, -2.0])
    expected = mu + 0.6**0.5 * s / (0.6 * s + 0.4) * (x - 0.6**0.5 * mu)
    torch.testing.assert_close(model.denoise(x, LEVEL).float(), expected)


def test_far_from_every_component_the_score_stays_finite():
    model = random_mixture("full", 0)
    assert model.score(torch.full((1, 4), 1e4), LEVEL).isfinite().all()
    assert model(torch.full((1, 4), 1e4), LEVEL, ClassLabels(torch.tensor([1]))).epsilon.isfinite().all()


def test_point_masses_are_allowed():
    model = GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], 0.0)
    x = torch.tensor([[0.3]])
    torch.testing.assert_close(model.denoise(x, LEVEL), torch.tanh(0.6**0.5 * x.double() / 0.4))


def test_the_prediction_is_differentiable_in_the_state():
    x = torch.randn(2, 4, requires_grad=True)
    random_mixture("full", 1)(x, LEVEL).epsilon.square().sum().backward()
    assert x.grad.dtype == torch.float32
    assert (x.grad != 0).all()


def test_the_posterior_in_one_dimension_is_bayes_by_quadrature():
    prior = GaussianMixture([0.3, 0.7], [[-1.0], [1.5]], [0.2, 0.9])
    a, y, sigma = 1.7, 0.4, 0.8
    posterior = prior.posterior(
        torch.full((1, 1), a, dtype=torch.float64), torch.full((1,), y, dtype=torch.float64), sigma
    )
    grid = torch.linspace(-12, 12, 20001, dtype=torch.float64)[:, None]
    log_density = prior.log_prob(grid) - 0.5 * ((y - a * grid[:, 0]) / sigma) ** 2
    log_density -= log_density.logsumexp(0) + math.log(24 / 20000)
    torch.testing.assert_close(posterior.log_prob(grid), log_density, atol=1e-9, rtol=1e-9)


@settings(max_examples=20)
@given(kinds, seeds, st.floats(0.05, 3.0))
def test_the_posterior_is_proportional_to_prior_times_likelihood(kind, seed, sigma):
    prior, x = random_mixture(kind, seed), points(seed, n=6)
    generator = torch.Generator().manual_seed(seed)
    A, y = torch.randn(2, 4, generator=generator), torch.randn(2, generator=generator)
    likelihood = -0.5 * (y.double() - x @ A.double().T).square().sum(1) / sigma**2
    ratio = prior.posterior(A, y, sigma).log_prob(x) - prior.log_prob(x) - likelihood
    torch.testing.assert_close(ratio, ratio[:1].expand(6), atol=1e-5, rtol=1e-6)


def test_a_noiseless_measurement_is_met_by_every_posterior_sample():
    prior, A, y = random_mixture("full", 3), torch.eye(4)[:2], torch.tensor([0.5, -0.5])
    samples = prior.posterior(A, y, 0.0).sample(50, torch.Generator().manual_seed(0))
    torch.testing.assert_close(samples[:, :2], y.double().expand(50, 2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["shared", "isotropic", "diagonal", "full"])
def test_samples_have_the_mixture_s_mean_and_covariance(kind):
    mixture = random_mixture(kind, 5)
    samples = mixture.sample(20000, torch.Generator().manual_seed(0))
    mean = mixture.mixture_weights @ mixture.means
    spread = mixture.means - mean
    outer = torch.einsum("ki,kj->kij", spread, spread)
    covariance = torch.einsum("k,kij->ij", mixture.mixture_weights, mixture.covariances + outer)
    scale = covariance.diagonal().max()
    torch.testing.assert_close(samples.mean(0), mean, atol=5 * (scale / 20000).sqrt().item(), rtol=0)
    torch.testing.assert_close(samples.T.cov(), covariance, atol=0.06 * scale.item(), rtol=0)


def test_samples_of_a_class_come_from_its_components_and_are_reproducible():
    mixture = GaussianMixture([1.0, 1.0], [[-10.0], [10.0]], 0.1, classes=[0, 1])
    labels = torch.tensor([0, 1, 1, 0])
    samples = [mixture.sample(4, torch.Generator().manual_seed(0), labels) for _ in range(2)]
    assert (samples[0][:, 0].sign() == torch.tensor([-1, 1, 1, -1])).all()
    assert torch.equal(*samples)


def test_parameters_are_read_from_safetensors(tmp_path):
    tensors = {"weights": torch.tensor([1.0, 3.0]), "means": torch.randn(2, 1, 2, 2), "covariances": torch.ones(2)}
    save_file({**tensors, "classes": torch.tensor([0, 1])}, tmp_path / "m.safetensors")
    model = GaussianMixture(parameters=str(tmp_path / "m.safetensors"))
    assert model.shape == (1, 2, 2)
    assert model.num_classes == 2
    torch.testing.assert_close(model.mixture_weights, torch.tensor([0.25, 0.75], dtype=torch.float64))


def test_bfloat16_casts_leave_the_parameters_in_float64():
    model, x = random_mixture("full", 2), torch.randn(2, 4)
    before = model(x, LEVEL).epsilon
    assert torch.equal(model.to(torch.bfloat16)(x, LEVEL).epsilon, before)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"means": [[0.0]], "covariances": 1.0}, "weights is missing"),
        ({"weights": [1.0, -1.0], "means": [[0.0], [1.0]], "covariances": 1.0}, "positive"),
        ({"weights": [1.0], "means": [[0.0], [1.0]], "covariances": 1.0}, "one row per weight"),
        ({"weights": [1.0], "means": [[0.0, 0.0]], "covariances": [1.0, 1.0, 1.0]}, "covariances must be"),
        ({"weights": [1.0], "means": [[0.0, 0.0]], "covariances": [[[1.0, 2.0], [2.0, 1.0]]]}, "negative eigenvalue"),
        ({"weights": [1.0], "means": [[0.0, 0.0]], "covariances": [[[1.0, 0.5], [0.0, 1.0]]]}, "symmetric"),
        ({"weights": [1.0], "means": [[0.0, 0.0]], "covariances": 1.0, "shape": (3,)}, "shape"),
        ({"weights": [1.0, 1.0], "means": [[0.0], [1.0]], "covariances": 1.0, "classes": [0, 2]}, "classes"),
        ({"weights": [1.0], "means": [[0.0], [1.0, 2.0]], "covariances": 1.0}, "regular array"),
    ],
)
def test_parameters_that_make_no_mixture_are_refused(arguments, word):
    with pytest.raises(UserError, match=word):
        GaussianMixture(**arguments)


def test_a_condition_on_a_mixture_without_classes_is_refused():
    with pytest.raises(UserError, match="no classes"):
        GaussianMixture.standard_normal((2,)).score(torch.zeros(1, 2), LEVEL, torch.tensor([0]))


def test_a_measurement_of_another_size_is_refused():
    with pytest.raises(UserError, match=r"A must be \(m, 2\)"):
        GaussianMixture.standard_normal((2,)).posterior(torch.eye(3), torch.zeros(3), 1.0)
