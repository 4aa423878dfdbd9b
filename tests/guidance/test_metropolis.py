"""Metropolis–Hastings in DAPS: against the closed form, and where there is no gradient."""

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DAPS, Unguided
from dsg.guidance.chain_step import DecayingStep
from dsg.guidance.hamiltonian import HamiltonianMonteCarlo
from dsg.guidance.langevin import Langevin
from dsg.guidance.metropolis import MetropolisHastings
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler
from tasks import GaussianNoise, InverseProblem, Measurement
from tasks.operators import Operator
from tests.guidance.chains import drawn
from tests.toy import Toy

SIGMA, RADIUS = 0.3, 0.7


class NoBackward(torch.autograd.Function):
    """What cannot be differentiated: whoever asks for its gradient gets an error."""

    @staticmethod
    def forward(ctx, x):
        return (4 * x).round() / 4

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("no gradient was to be taken")


class Quantised(Operator):
    """x ↦ x in quarters."""

    def forward(self, x):
        return NoBackward.apply(x)


class QuantisedTask(InverseProblem):
    """y = x in quarters, and noise."""

    def operator(self, shape, streams):
        return Quantised()


def begin(task, guidance, reference, model, steps=10):
    sampler = Sampler(model, task, guidance, DDIM(), steps, clip_denoised=False)
    streams = NoiseStreams([SampleKey(3, "a", sample) for sample in range(len(reference))])
    return sampler, sampler.begin(Examples(reference), streams)


@pytest.mark.parametrize(
    "chain",
    [MetropolisHastings(300), Langevin(100, 0.05), HamiltonianMonteCarlo(100, 0.02)],
    ids=lambda chain: type(chain).__name__,
)
def test_the_chain_ends_with_the_mean_and_the_variance_of_the_closed_form(chain):
    """N(x̂, r²) given y = x + σ n, in three dimensions, from 1000 chains: four standard errors."""
    count, model = 1000, GaussianMixture.standard_normal((3,))
    _, process = begin(
        tasks.Denoising(noise=GaussianNoise(SIGMA)), DAPS(chain=chain), torch.tensor([[1.0, -0.5, 0.8]] * count), model
    )
    estimate = torch.tensor([0.2, 0.1, -0.4]).expand(count, 3)
    x = drawn(chain, estimate, RADIUS, SIGMA, process).double()
    precision = 1 / RADIUS**2 + 1 / SIGMA**2
    mean = (estimate[0] / RADIUS**2 + process.measurement.y[0] / SIGMA**2) / precision
    bias = {"Langevin": 0.03, "HamiltonianMonteCarlo": 0.07}.get(type(chain).__name__, 0.0)  # of the variance, relative
    assert ((x.mean(0) - mean).abs() <= 4 / (precision * count) ** 0.5).all()
    assert ((x.var(0) * precision - 1).abs() <= 4 * (2 / count) ** 0.5 + bias).all()


def test_a_task_without_a_gradient_is_served_by_metropolis_hastings_and_not_by_langevin():
    task, model = QuantisedTask(GaussianNoise(0.1)), Toy(4)
    reference = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    losses = []
    for guidance in (Unguided(), DAPS(spread=1.0, chain=MetropolisHastings(600))):
        sampler, process = begin(task, guidance, reference, model)
        *_, last = sampler.run(process)
        losses.append(task.loss(last.x_prev, process.measurement))
    assert losses[1].mean() < 0.75 * losses[0].mean()
    sampler, process = begin(task, DAPS(chain=Langevin()), reference, model)
    with pytest.raises(RuntimeError, match="no gradient"):
        next(sampler.run(process))


def test_the_proposals_shrink_until_a_quarter_of_them_is_taken():
    """Without that, a chain in 48 dimensions with a sharp likelihood would not leave its start."""
    task = tasks.Denoising(noise=GaussianNoise(0.05))
    reference = torch.zeros(2, 3, 4, 4)
    _, process = begin(task, DAPS(), reference, Toy(4))
    start = torch.ones_like(reference)
    ends = drawn(MetropolisHastings(2000), start, 1.0, 0.05, process)
    ratio = task.loss(ends, process.measurement) / (0.05 * 48**0.5)
    assert ((ratio > 0.5) & (ratio < 1.5)).all()


def test_a_measurement_that_is_not_a_number_gives_no_sample():
    task = tasks.Denoising()
    _, process = begin(task, DAPS(), torch.zeros(2, 3), GaussianMixture.standard_normal((3,)))
    process.measurement = Measurement(torch.tensor([[torch.nan] * 3, [0.0] * 3]), process.measurement.operator)
    x = drawn(MetropolisHastings(10), torch.zeros(2, 3), 1.0, 0.1, process)
    assert x[0].isnan().all()
    assert x[1].isfinite().all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MetropolisHastings(1), "at least 2"),
        (lambda: MetropolisHastings(rate=1.0), "rate"),
        (lambda: Langevin(0), "at least 1"),
        (lambda: Langevin(step_size=2.0), "step_size"),
        (lambda: HamiltonianMonteCarlo(0), "at least 1"),
        (lambda: HamiltonianMonteCarlo(step_size=0.0), "step_size"),
        (lambda: HamiltonianMonteCarlo(momentum=1.0), "momentum"),
        (lambda: DecayingStep(0.0), "learning_rate"),
        (lambda: DecayingStep(1e-4, 0.0), "final_share"),
    ],
)
def test_impossible_chains_are_refused(make, words):
    with pytest.raises(UserError, match=words):
        make()
