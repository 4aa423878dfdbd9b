"""The solvers in continuous time, on Gaussians, whose flow is known."""

import itertools
import math

import pytest
import torch

from dsg.combiners import ClassifierFree, PiecewiseLinear
from dsg.data.examples import Examples
from dsg.diffusion.continuous_spacing import LogSNR
from dsg.diffusion.kernels import DDIM, DDPM, EulerMaruyama, Heun
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.noise import EnsembleStreams, SampleKey
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.guidance import DPS, Unguided
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler
from tasks import Denoising

VARIANCE = 0.3
SCHEDULE = NoiseSchedule("linear", 1000, 1e-7, 2e-2)  # the last step, from the least noisy level, is Euler's


def run(kernel, steps, x_T, mixture=None, guidance=None, combiner=None, labels=None):
    model = mixture or GaussianMixture([1.0], torch.zeros(1, 1), VARIANCE, schedule=SCHEDULE)
    options = {} if combiner is None else {"combiner": combiner}
    sampler = Sampler(
        model, Denoising(), guidance or Unguided(), kernel, steps, LogSNR(), clip_denoised=False, **options
    )
    columns = {} if labels is None else {"label": labels}
    process = sampler.begin(Examples(torch.zeros(len(x_T), 1), columns), EnsembleStreams(SampleKey(0, "x"), len(x_T)))
    for record in sampler.run(process, x_T):
        last = record
    return last.x_prev, process


def flow_error(kernel, steps):
    """Largest distance to the exact flow, x_0 = x_T √(Var_0/Var_T)."""
    x_T = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    a = SCHEDULE.alpha_bar[-1]
    exact = x_T * math.sqrt(VARIANCE / (a * VARIANCE + 1 - a))
    return (run(kernel, steps, x_T)[0] - exact).abs().max().item()


@pytest.mark.parametrize(("kernel", "order"), [(DDIM(0.0), 1), (EulerMaruyama(0.0), 1), (Heun(), 2)])
def test_a_solver_of_the_flow_has_the_order_that_it_states(kernel, order):
    coarse, fine = flow_error(kernel, 100), flow_error(kernel, 200)
    assert coarse / fine == pytest.approx(2**order, rel=0.15)


def test_heun_is_exact_to_four_digits_at_eight_hundred_steps():
    assert flow_error(Heun(), 800) < 5e-5


def test_heun_evaluates_twice_a_step_but_for_the_last():
    process = run(Heun(), 10, torch.ones(2, 1))[1]
    assert (process.forwards, process.backwards) == (19, 0)


def test_the_second_evaluation_of_a_guided_step_takes_no_gradient():
    process = run(Heun(), 10, torch.ones(2, 1), guidance=DPS(0.1))[1]
    assert (process.forwards, process.backwards) == (19, 10)


@pytest.mark.parametrize("kernel", [EulerMaruyama(), EulerMaruyama(0.5), DDPM(), DDIM(1.0)])
def test_every_stochastic_sampler_ends_at_the_variance_of_the_data(kernel):
    x_T = torch.randn(8_000, 1, generator=torch.Generator().manual_seed(0))
    samples, _ = run(kernel, 600, x_T)
    assert samples.var().item() == pytest.approx(VARIANCE, rel=0.06)  # of which three standard errors are 0.047
    assert samples.mean().item() == pytest.approx(0.0, abs=0.02)


def test_levels_are_even_in_the_log_snr_between_the_ends_of_the_table():
    steps = LogSNR().steps(SCHEDULE, 2500)
    log_snr = torch.tensor([math.log(s.alpha_bar / (1 - s.alpha_bar)) for s in steps], dtype=torch.float64)
    assert torch.allclose(log_snr.diff(), log_snr.diff().mean().expand(2499))
    assert steps[0].alpha_bar == pytest.approx(SCHEDULE.alpha_bar[-1], rel=1e-12)
    assert steps[-1].alpha_bar == pytest.approx(SCHEDULE.alpha_bar[0], rel=1e-12)
    assert (steps[0].t, steps[-1].t) == (999.0, 0.0)
    assert all(later.t < earlier.t for earlier, later in itertools.pairwise(steps))


def test_a_level_of_the_table_has_its_own_timestep():
    nearest = min(LogSNR().steps(SCHEDULE, 4001), key=lambda s: abs(s.t - 500))
    assert nearest.alpha_bar == pytest.approx(SCHEDULE.alpha_bar[500], rel=0.01)


@pytest.mark.parametrize(("steps", "words"), [(0, "at least 1"), ("ddim10", "whole number")])
def test_impossible_step_counts_in_continuous_time_are_refused(steps, words):
    with pytest.raises(UserError, match=words):
        LogSNR().steps(SCHEDULE, steps)


@pytest.mark.parametrize("noise", [-0.1, math.inf, math.nan])
def test_a_reverse_process_of_negative_noise_is_refused(noise):
    with pytest.raises(UserError, match="at least 0"):
        EulerMaruyama(noise)


def test_a_scale_between_points_is_linear_and_constant_outside():
    scale = PiecewiseLinear((200.0, 400.0), (1.0, 5.0))
    assert [scale.at(NoiseLevel.from_alpha_bar(t, 0.5)) for t in (0, 200, 250, 400, 900)] == [1.0, 1.0, 2.0, 5.0, 5.0]


def test_a_scale_may_jump():
    scale = PiecewiseLinear((300, 300, 800, 800), (1, 4, 4, 1))
    assert [scale.at(NoiseLevel.from_alpha_bar(t, 0.5)) for t in (299.9, 300, 799.9, 800.1)] == [1, 4, 4, 1]


@pytest.mark.parametrize(
    ("t", "scale", "words"),
    [
        ((), (), "one at least"),
        ((1,), (1, 2), "as many t"),
        ((2, 1), (1, 2), "must not fall"),
        ((1,), (-1,), "at least 0"),
    ],
)
def test_points_that_are_no_scale_are_refused(t, scale, words):
    with pytest.raises(UserError, match=words):
        PiecewiseLinear(t, scale)


def test_a_constant_schedule_is_the_number():
    mixture = GaussianMixture([1, 1], [[-1.0], [1.0]], 1.0, [0, 1], schedule=SCHEDULE)
    labels = torch.ones(8, dtype=torch.long)
    x_T = torch.linspace(-2, 2, 8)[:, None]
    by_number, by_schedule = (
        run(Heun(), 20, x_T, mixture, combiner=ClassifierFree(scale), labels=labels)[0]
        for scale in (3.0, PiecewiseLinear((0.0,), (3.0,)))
    )
    assert torch.equal(by_number, by_schedule)


def test_where_the_scale_is_one_the_model_is_evaluated_once():
    mixture = GaussianMixture([1, 1], [[-1.0], [1.0]], 1.0, [0, 1], schedule=SCHEDULE)
    labels = torch.ones(2, dtype=torch.long)
    scale = PiecewiseLinear((500.0, 500.0), (1.0, 3.0))
    process = run(DDIM(0.0), 100, torch.ones(2, 1), mixture, combiner=ClassifierFree(scale), labels=labels)[1]
    guided = sum(step.t >= 500 for step in process.steps)
    assert process.forwards == 100 + guided
