"""Levels that are raised before their step: which, by how much, and what is left of the distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from dsg.data.examples import Examples
from dsg.diffusion import Even, FlowSchedule, Karras, LogSNR, NoiseLevel, NoiseSchedule, SigmaSchedule, Spacing, Step
from dsg.diffusion.kernels import DDIM, DDPM, Churn, Heun, ReverseKernel
from dsg.diffusion.noise import EnsembleStreams, NoiseStreams, Purpose, SampleKey
from dsg.errors import UserError
from dsg.guidance import DAPS, DDRM, DPS, DiffPIR, FreeDoM, Guidance, REDDiff, Unguided
from dsg.models.base import ScoreModel
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from tasks import Denoising, Measurement, RandomInpainting, Task
from tasks.operators.mask import Identity
from tests.contract.run import keys, references
from tests.toy import Toy

SIGMAS = SigmaSchedule()
ALL = {"sigma_min": 0.0, "sigma_max": math.inf, "noise_scale": 1.0}
VARIANCE = 0.3


class Indifferent(Task):
    """L = 1, whatever the estimate: its gradient is zero."""

    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        return Measurement(examples.images, Identity())

    def loss(self, clean_estimate: Tensor, measurement: Measurement) -> Tensor:
        return 0.0 * clean_estimate.flatten(1).sum(1) + 1.0


class Doubled(EnsembleStreams):
    """The same numbers in float64, so that nothing is rounded on the way."""

    def normal(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        return super().normal(purpose, shape).double()


def step_at(sigma: float, total: int = 20) -> Step:
    level, prev = SIGMAS.level(sigma), SIGMAS.level(0.9 * sigma)
    return Step(level.t, level.log_snr, prev, index=3, total=total)


def known(schedule: SigmaSchedule | NoiseSchedule | FlowSchedule) -> GaussianMixture:
    """N(0, v) with its exact score."""
    return GaussianMixture([1.0], torch.zeros(1, 1), VARIANCE, schedule=schedule)


def marginal_variance(level: NoiseLevel) -> float:
    return level.alpha_bar * VARIANCE + level.noise_variance


def begin(
    kernel: ReverseKernel, steps: int, *, model: ScoreModel | None = None, guidance: Guidance | None = None,
    task: Task | None = None, spacing: Spacing | None = None, size: int = 2,
) -> tuple[Sampler, ReverseProcess]:  # fmt: skip
    sampler = Sampler(
        model or known(SIGMAS), task or Denoising(), guidance or Unguided(), kernel, steps,
        spacing or Karras(sigma_min=0.01, sigma_max=20.0), clip_denoised=False,
    )  # fmt: skip
    images = torch.zeros(size, *sampler.score_model.image_shape)
    return sampler, sampler.begin(Examples(images), Doubled(SampleKey(0, "x"), size))


@pytest.mark.parametrize(
    ("churn", "gamma"), [(0.0, 0.0), (4.0, 0.2), (8.0, 0.4), (9.0, math.sqrt(2) - 1), (1e6, math.sqrt(2) - 1)]
)
def test_a_level_is_raised_by_its_share_of_the_churn_and_at_most_by_root_two(churn, gamma):
    raised = Churn(churn=churn, **ALL).raised(step_at(3.0), SIGMAS)
    assert raised.sigma == pytest.approx(3.0 * (1.0 + gamma), rel=1e-14)
    assert raised.t == pytest.approx(raised.sigma, rel=1e-12)
    assert (raised.prev, raised.index, raised.total) == (step_at(3.0).prev, 3, 20)


@pytest.mark.parametrize(
    ("sigma", "is_raised"), [(0.05, True), (50.0, True), (0.0499999, False), (50.00001, False), (1.0, True)]
)
def test_levels_are_raised_between_both_bounds_and_on_them(sigma, is_raised):
    step = step_at(sigma)
    raised = Churn().raised(step, SIGMAS)
    assert raised.sigma > step.sigma if is_raised else raised == step


def test_the_whole_trajectory_is_algorithm_two_of_the_paper():
    """Written as there, in x̃ = x/√ā, with the same noise."""
    model = GaussianMixture([0.4, 0.6], torch.tensor([[-1.0, 0.5], [1.0, 0.0]]), VARIANCE, schedule=SIGMAS)
    kernel, x_T = Churn(churn=3.0, sigma_min=0.1, sigma_max=10.0, noise_scale=1.1), torch.randn(3, 2).double()
    sampler, process = begin(kernel, 9, model=model, size=3)
    *_, last = sampler.run(process, x_T)

    def slope(x: Tensor, sigma: float) -> Tensor:
        level = SIGMAS.level(sigma)
        return (x - model(x * level.signal, level).clean_estimate) / sigma

    noise, levels = Doubled(SampleKey(0, "x"), 3), [*(step.sigma for step in sampler.levels), 0.0]
    x = x_T * math.sqrt(1 + levels[0] ** 2)
    for sigma, following in pairwise(levels):
        hat = sigma * (1 + min(3.0 / 9, math.sqrt(2) - 1)) if 0.1 <= sigma <= 10.0 else sigma
        if hat > sigma:
            x = x + math.sqrt(hat**2 - sigma**2) * 1.1 * noise.normal(Purpose.CHURN, (2,))
        d = slope(x, hat)
        euler = x + (following - hat) * d
        x = x + (following - hat) * (d + slope(euler, following)) / 2 if following > 0 else euler
    torch.testing.assert_close(last.x_prev, x, atol=1e-10, rtol=0)


@pytest.mark.parametrize("noise_scale", [1.0, 1.1])
def test_a_raised_state_has_the_marginal_of_its_level_and_more_where_the_noise_is_scaled(noise_scale):
    kernel = Churn(churn=100.0, **ALL | {"noise_scale": noise_scale})
    sampler, process = begin(kernel, 10, size=40_000)
    step = sampler.levels[4]
    state = torch.randn(40_000, 1) * math.sqrt(marginal_variance(step))
    x, raised = process.enter(state, step)
    exploding = VARIANCE + step.sigma**2 + noise_scale**2 * (raised.sigma**2 - step.sigma**2)
    assert x.var().item() == pytest.approx(raised.alpha_bar * exploding, rel=0.03)  # four standard errors


def departure(steps: int) -> float:
    """How far the variance of a Gaussian is from the marginal one at worst, along churned Heun: a step is linear in the
    state, so that its variance is followed in closed form."""
    kernel, worst = Churn(churn=20.0, **ALL), 0.0
    sampler, process = begin(kernel, steps)
    variance = marginal_variance(sampler.levels[0])
    for step in sampler.levels:
        raised = kernel.raised(step, SIGMAS)
        kept = raised.alpha_bar / step.alpha_bar
        one = torch.ones(1, 1, dtype=torch.float64)
        mean = process.transition(one, process.predict(one, raised), raised).mean.item()
        variance = mean**2 * (kept * variance + 1.0 - kept)
        worst = max(worst, abs(variance / marginal_variance(step.prev) - 1.0))
    return worst


def test_churned_heun_keeps_the_marginal_variance_of_a_gaussian_to_its_second_order():
    assert departure(100) / departure(200) == pytest.approx(4.0, rel=0.05)
    assert departure(400) < 1e-3


def test_without_churn_it_is_the_kernel_bit_for_bit_and_draws_nothing():
    x_T = torch.randn(2, 1)
    (churned, process), (plain, other) = begin(Churn(churn=0.0), 8), begin(Heun(), 8)
    *_, one = churned.run(process, x_T)
    *_, two = plain.run(other, x_T)
    assert torch.equal(one.x_prev, two.x_prev)
    untouched = Doubled(SampleKey(0, "x"), 2).normal(Purpose.CHURN, (4,))
    assert torch.equal(process.streams.normal(Purpose.CHURN, (4,)), untouched)


def test_a_record_is_of_the_raised_state_and_its_gradient_is_taken_there():
    kernel = Churn(DDIM(1.0), churn=2.0, **ALL)
    sampler, process = begin(kernel, 6, model=Toy(16), guidance=DPS(0.5), spacing=LogSNR(noisiest=-8.0))
    for record, step in zip(sampler.run(process), sampler.levels, strict=True):
        assert record.step == kernel.raised(step, sampler.score_model.schedule)
        expected = process.loss_gradient(record.x_t, record.step)
        torch.testing.assert_close(record.gradient, expected.gradient)
        torch.testing.assert_close(record.prediction.clean_estimate, expected.prediction.clean_estimate)


def test_time_travel_goes_to_the_level_of_the_step_which_is_raised_again():
    """With no gradient to follow, samples of the exact score keep the variance of the data."""
    kernel = Churn(churn=10.0, **ALL)
    guidance = FreeDoM(1.0, repetitions=3)
    sampler, process = begin(kernel, 60, guidance=guidance, task=Indifferent(), size=20_000)
    *_, last = sampler.run(process)
    assert last.x_prev.var().item() == pytest.approx(VARIANCE, rel=0.05)  # of which four standard errors are 0.04
    assert process.forwards == 3 * (2 * 60 - 1)


@pytest.mark.parametrize(
    "guidance", [DDRM(), DiffPIR(), DAPS(), REDDiff()], ids=lambda guidance: type(guidance).__name__
)
def test_methods_that_do_not_ask_the_kernel_are_the_same_around_it(guidance):
    found = []
    for kernel in (DDIM(1.0), Churn(DDIM(1.0))):
        sampler = Sampler(Toy(16), RandomInpainting(), guidance, kernel, 6)
        *_, last = sampler.run(sampler.begin(Examples(references(2)), NoiseStreams(keys("ab"))))
        found.append(last.x_prev)
    assert torch.equal(*found)


def test_a_table_is_raised_between_its_timesteps_or_where_asked_to_the_nearest_one():
    table, churn = NoiseSchedule(), Churn(DDPM(), churn=1.0, **ALL)
    steps = Even().steps(table, 10)
    between = [churn.raised(step, table).t for step in steps[1:]]
    assert any(t != int(t) for t in between)
    whole = Churn(DDPM(), churn=1.0, rounds=True, **ALL)
    for step in steps:
        raised = whole.raised(step, table)
        sigmas = [table.level(t).sigma for t in range(len(table))]
        wanted = 1.1 * step.sigma
        assert raised.t == min(range(len(table)), key=lambda t: abs(sigmas[t] - wanted))
    assert whole.raised(steps[0], table) == steps[0]  # no noisier one is known


def test_a_network_of_whole_timesteps_needs_the_rounding():
    model = Toy(16)
    model.whole_timesteps = True
    with pytest.raises(UserError, match=r"Churn steps from t = .*whole timesteps alone; .*set rounds to true"):
        Sampler(model, Denoising(), Unguided(), Churn(DDPM()), 10)
    Sampler(model, Denoising(), Unguided(), Churn(DDPM(), rounds=True), 10)


def test_a_level_beyond_the_schedule_is_refused_before_the_first_sample():
    with pytest.raises(UserError, match=r"σ = 84, and the model's go to 80; set its sigma_max below"):
        begin(Churn(churn=0.5, **ALL), 10, spacing=Karras())


def test_noise_alone_cannot_be_raised_and_the_levels_after_it_are():
    kernel = Churn(DDPM(), churn=1.0, **ALL)
    sampler, process = begin(kernel, 10, model=known(FlowSchedule()), spacing=Even())
    records = list(sampler.run(process))
    assert records[0].step == sampler.levels[0]
    assert records[1].step.sigma == pytest.approx(1.1 * sampler.levels[1].sigma)
    assert records[-1].x_prev.isfinite().all()


@pytest.mark.parametrize(
    "options",
    [{"churn": -1.0}, {"churn": math.inf}, {"sigma_min": 2.0, "sigma_max": 1.0}, {"noise_scale": 0.0},
     {"kernel": Churn()}, {"sigma_min": math.nan}],
)  # fmt: skip
def test_a_churn_that_means_nothing_is_refused_in_one_line(options):
    with pytest.raises(UserError) as refusal:
        Churn(**options)
    assert "\n" not in str(refusal.value)
