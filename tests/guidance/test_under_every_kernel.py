"""What a method changes under each kernel, in numbers that are known: of fine steps, exact posteriors, evaluations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import tasks
from dsg.data.examples import Examples
from dsg.diffusion import LogSNR
from dsg.diffusion.kernels import DDIM, DDPM, EulerMaruyama, Heun, ReverseKernel
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance import BODDNM, DDNM, DPS, DSG, MPGD, TFG, UGD, ExactSamples, Guidance, Oracle, PiGDM, Unguided
from dsg.guidance.exact import posteriors
from dsg.metrics.posterior import moments
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from tasks import GaussianNoise, RandomInpainting, RandomProjection, Task
from tests.contract.run import keys, references
from tests.toy import Toy

NOISY, NOISELESS = RandomInpainting(), RandomInpainting(noise=GaussianNoise(0.0))
ESTIMATE_MOVERS = {
    "mpgd": (MPGD(1.0), NOISY),
    "ddnm": (DDNM(), NOISELESS),
    "ddnm, corrected epsilon": (DDNM(keep_epsilon=False), NOISELESS),
    "ugd": (UGD(0.5, 2, 0.2), NOISY),
    "pigdm as a score": (PiGDM("score"), NOISY),
    "bo-ddnm": (BODDNM(), NOISY),
}
every_mover = pytest.mark.parametrize(("guidance", "task"), ESTIMATE_MOVERS.values(), ids=ESTIMATE_MOVERS)


def begin(guidance: Guidance, kernel: ReverseKernel, task: Task, steps: int) -> tuple[Sampler, ReverseProcess]:
    sampler = Sampler(Toy(16), task, guidance, kernel, steps, LogSNR(), clip_denoised=False)
    return sampler, sampler.begin(Examples(references(2)), NoiseStreams(keys("ab")))


def effect(guidance: Guidance, kernel: ReverseKernel, task: Task) -> Tensor:
    """By how much a method moves one of two thousand steps, half way down."""
    x_t, found = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), []
    for method in (guidance, Unguided()):
        sampler, process = begin(method, kernel, task, 2000)
        process.steps = process.steps[1000:]
        found.append(next(sampler.run(process, x_t)).x_prev)
    return found[0] - found[1]


def relative(one: Tensor, other: Tensor) -> float:
    return ((one - other).norm() / other.norm()).item()


@every_mover
def test_on_fine_steps_the_reverse_sde_is_moved_as_much_as_ddpm_and_the_flow_half_as_much(guidance, task):
    ddpm = effect(guidance, DDPM("fixed_small"), task)
    assert relative(effect(guidance, EulerMaruyama(1.0), task), ddpm) < 0.03
    assert relative(2.0 * effect(guidance, EulerMaruyama(0.0), task), ddpm) < 0.03
    assert relative(2.0 * effect(guidance, Heun(), task), ddpm) < 0.03


def test_on_fine_steps_ddnm_plus_moves_the_reverse_sde_as_much_as_ddpm():
    for keep in (True, False):
        guidance = DDNM(keep_epsilon=keep)
        ddpm = effect(guidance, DDPM("fixed_small"), NOISY)
        assert relative(effect(guidance, EulerMaruyama(1.0), NOISY), ddpm) < 0.03


@pytest.mark.parametrize("kernel", [EulerMaruyama(1.0), EulerMaruyama(0.0), Heun()], ids=str)
@pytest.mark.parametrize(
    ("guidance", "task"),
    [(MPGD(8.0), NOISY), (DDNM(), NOISELESS), (DDNM(keep_epsilon=False), NOISELESS), (UGD(4.0, 4, 2.0), NOISY)],
    ids=["mpgd", "ddnm", "ddnm, corrected epsilon", "ugd"],
)
def test_in_continuous_time_a_method_that_moves_the_estimate_explains_the_measurement(guidance, task, kernel):
    losses = []
    for method in (guidance, Unguided()):
        sampler, process = begin(method, kernel, task, 50)
        *_, last = sampler.run(process)
        losses.append(process.loss(last.x_prev).mean().item())
    assert losses[0] < 0.5 * losses[1]


PRIOR = GaussianMixture([1.0, 1.0], [[-4.0, -4.0], [4.0, 4.0]], 1.0)


@pytest.mark.parametrize(
    ("kernel", "steps"),
    [(DDIM(0.0), 100), (DDIM(1.0), 100), (EulerMaruyama(1.0), 100), (EulerMaruyama(0.0), 400), (Heun(), 100)],
    ids=str,
)
def test_the_oracle_samples_the_exact_posterior_under_every_kernel(kernel, steps):
    count, task = 2000, RandomProjection(1)
    x = PRIOR.transform(torch.randn(1, 3, generator=torch.Generator().manual_seed(3)).double()).float()
    sampler = Sampler(PRIOR, task, Oracle(), kernel, steps, LogSNR(), clip_denoised=False)
    streams = NoiseStreams([SampleKey(0, "p", k) for k in range(count)])
    process = sampler.begin(Examples(x.expand(count, -1)), streams)
    *_, last = sampler.run(process)
    ((_, posterior),) = posteriors(PRIOR, process.measurement, ["p"] * count, 1.0)
    mean, covariance = moments(posterior)
    samples = last.x_prev.double()
    assert (samples.mean(0) - mean).norm() / covariance.trace().sqrt() < 0.06
    assert (samples.T.cov() - covariance).norm() / covariance.norm() < 0.15
    assert process.forwards == (2 * steps - 1 if kernel == Heun() else steps)


@pytest.mark.parametrize("kernel", [DDIM(1.0), EulerMaruyama(1.0), Heun()], ids=str)
@pytest.mark.parametrize("guidance", [ExactSamples(), Oracle()], ids=["exact samples", "oracle"])
def test_with_class_labels_the_known_posterior_is_that_of_the_class(guidance, kernel):
    """The measurement says little of the class, and each image has its own label."""
    model = GaussianMixture([1.0, 1.0], [[-4.0, -4.0], [4.0, 4.0]], 1.0, classes=[0, 1])
    count = 200
    streams = NoiseStreams([SampleKey(0, name, k) for name in "qr" for k in range(count)])
    labels = torch.tensor([0, 1]).repeat_interleave(count)
    clean = torch.where(labels[:, None] == 0, -4.0, 4.0).expand(-1, 2)
    sampler = Sampler(model, RandomProjection(1), guidance, kernel, 50, LogSNR(), clip_denoised=False)
    *_, last = sampler.run(sampler.begin(Examples(clean, {"label": labels}), streams))
    assert torch.equal((last.x_prev.sum(1) > 0).long(), labels)


def test_dsg_over_tfg_without_variance_guidance_follows_what_the_mean_guidance_follows():
    samples, losses = [], []
    for guidance in (DSG(TFG(rho=0.0, mu=1.0), guidance_rate=0.5), Unguided()):
        sampler = Sampler(Toy(16), tasks.SuperResolution(), guidance, DDIM(1.0), 20)
        process = sampler.begin(Examples(references(2)), NoiseStreams(keys("ab")))
        *_, last = sampler.run(process)
        samples.append(last.x_prev)
        losses.append(process.loss(last.x_prev).mean().item())
    assert not torch.allclose(*samples, atol=1e-2)
    assert losses[0] < 0.5 * losses[1]


HEUN = [Unguided(), DPS(0.5), MPGD(0.5), UGD(0.5), PiGDM(), PiGDM("score"), DDNM(), BODDNM()]


@pytest.mark.parametrize("guidance", HEUN, ids=[f"{i} {type(g).__name__}" for i, g in enumerate(HEUN)])
def test_ten_steps_of_heun_take_nineteen_evaluations_whatever_the_method_moves(guidance):
    sampler, process = begin(guidance, Heun(), NOISELESS, 10)
    for _ in sampler.run(process):
        pass
    assert process.forwards == 19
