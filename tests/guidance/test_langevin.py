"""Langevin dynamics of DAPS: its step follows the operator of each sample."""

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance import DAPS
from dsg.guidance.langevin import Langevin
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler
from tasks import GaussianNoise, InverseProblem
from tasks.operators.matrix import Matrix
from tests.guidance.chains import drawn
from tests.tasks.dense import Dense

NORMS, COUNT = (0.5, 3.0, 30.0), 1000
SIGMA, RADIUS = 1.0, 0.7
TRUTH, ESTIMATE = torch.tensor([1.0, -0.5, 0.8]), torch.tensor([0.2, 0.1, -0.4])


def factors():
    """U, s and Vᵀ of three dense matrices that differ in all, (3,3,3), (3,3) and (3,3,3)."""
    u, _, vt = torch.linalg.svd(torch.randn(3, 3, 3, generator=torch.Generator().manual_seed(0)))
    return u, torch.tensor(NORMS)[:, None] * torch.tensor([1.0, 0.7, 0.4]), vt


class Stretching(InverseProblem):
    """y = A x + σ n; COUNT samples of each of the three matrices, one after the other in a batch."""

    def __init__(self, spectral: bool) -> None:
        super().__init__(GaussianNoise(SIGMA))
        self.spectral = spectral

    def operator(self, shape, streams):
        operator = Matrix(*(f.repeat_interleave(len(streams) // 3, 0) for f in factors()), shape)
        return operator if self.spectral else Vectors(operator.matrix())


class Vectors(Dense):
    """Dense, on states (3,)."""

    def __init__(self, matrices):
        super().__init__(matrices)
        self.shape = matrices.shape[-1:]

    def forward(self, x):
        return super().forward(x[:, None, None])


def begin(task, count):
    keys = [SampleKey(3, name, sample) for name in "abc" for sample in range(count)]
    model = GaussianMixture.standard_normal((3,))
    sampler = Sampler(model, task, DAPS(likelihood_sigma=SIGMA), DDIM(), 10, clip_denoised=False)
    return sampler.begin(Examples(TRUTH.expand(3 * count, 3)), NoiseStreams(keys))


@pytest.mark.parametrize("spectral", [True, False], ids=["singular values known", "norm by power iterations"])
def test_every_sample_reaches_the_gaussian_posterior_whatever_the_norm_of_its_operator(spectral):
    """N(x̂, r²) given y = A x + σ n with ‖A‖ = 0.5, 3 and 30 in one batch; 1000 chains each, four standard errors."""
    step_size = 0.1
    process = begin(Stretching(spectral), COUNT)
    x = drawn(Langevin(400, step_size), ESTIMATE.expand(3 * COUNT, 3), RADIUS, SIGMA, process).double()
    u, s, vt = (f.double() for f in factors())
    for i, samples in enumerate(x.split(COUNT)):
        y = process.measurement.y[i * COUNT].double()
        precision = s[i] ** 2 / SIGMA**2 + 1 / RADIUS**2  # along the rows of Vᵀ
        mean = (vt[i] @ ESTIMATE.double() / RADIUS**2 + s[i] * (u[i].T @ y) / SIGMA**2) / precision
        along = samples @ vt[i].T
        assert ((along.mean(0) - mean).abs() <= 4.5 / (precision * COUNT) ** 0.5).all()
        bias = step_size / 2 / (1 - step_size / 2)  # of a variance, relative, at most: 1/(1 − h p/2) − 1
        assert ((along.var(0) * precision - 1).abs() <= 4 * (2 / COUNT) ** 0.5 + bias).all()


def test_the_norm_is_asked_once_a_batch(monkeypatch):
    asked = []
    norm = Vectors.norm
    monkeypatch.setattr(Vectors, "norm", lambda self, y: asked.append(len(y)) or norm(self, y))
    process = begin(Stretching(False), 2)
    for _ in range(3):
        drawn(Langevin(2), ESTIMATE.expand(6, 3), RADIUS, SIGMA, process)
    assert asked == [6]


def test_a_clipped_exposure_is_descended_at_its_own_scale():
    """y = clip(20 x) where nothing is clipped: h of ‖A‖ = 1 would throw every chain out."""
    scale, sigma = 20.0, 0.05
    task = tasks.HighDynamicRange(scale, noise=GaussianNoise(sigma))
    keys = [SampleKey(3, "a", sample) for sample in range(500)]
    sampler = Sampler(GaussianMixture.standard_normal((3,)), task, DAPS(), DDIM(), 10, clip_denoised=False)
    process = sampler.begin(Examples(torch.tensor([0.02, -0.01, 0.0]).expand(500, 3)), NoiseStreams(keys))
    x = drawn(Langevin(100, 0.1), torch.zeros(500, 3), 1.0, sigma, process)
    assert ((x.mean(0) - process.measurement.y[0] / scale).abs() <= 4.5 * sigma / scale / 500**0.5).all()
    assert (x.std(0) / (sigma / scale) - 1).abs().max() <= 0.15
