import itertools
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dsg.diffusion import LogSNR
from dsg.diffusion.continuous import FlowSchedule, SigmaSchedule, VPSchedule
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.errors import UserError


def test_linear_schedule_is_the_product_of_evenly_spaced_betas():
    betas = np.linspace(1e-4, 2e-2, 1000)
    assert NoiseSchedule().alpha_bar == pytest.approx(np.cumprod(1 - betas), rel=1e-14)
    assert NoiseSchedule().alpha_bar.dtype == np.float64


def test_scaled_linear_schedule_spaces_the_roots_of_beta():
    alpha_bar = NoiseSchedule("scaled_linear", 1000, 0.00085, 0.012).alpha_bar
    beta = 1 - alpha_bar[1:] / alpha_bar[:-1]
    assert np.diff(np.sqrt(beta)) == pytest.approx(np.full(998, (0.012**0.5 - 0.00085**0.5) / 999), rel=1e-6)


def test_cosine_schedule_follows_the_squared_cosine_until_its_cap():
    alpha_bar = NoiseSchedule("cosine", 1000).alpha_bar
    exact = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(1, 901)]
    assert alpha_bar[:900] == pytest.approx(np.array(exact) / math.cos(0.008 / 1.008 * math.pi / 2) ** 2)


def test_a_respaced_step_knows_the_next_level_and_ends_clean():
    schedule = NoiseSchedule()
    steps = Even().steps(schedule, 10)
    assert [s.index for s in steps] == list(range(9, -1, -1))
    assert [s.position for s in steps] == list(range(10))
    for step, following in itertools.pairwise(steps):
        assert step.prev.alpha_bar == following.alpha_bar
    assert steps[-1].prev.alpha_bar == 1.0
    assert steps[-1].posterior_variance == 0.0


def test_sigmoid_schedule_is_what_diffusers_makes_of_it():
    from diffusers import DDPMScheduler

    expected = (1 - DDPMScheduler(200, 1e-3, 3e-2, "sigmoid").betas.double()).cumprod(0).numpy()
    assert NoiseSchedule("sigmoid", 200, 1e-3, 3e-2).alpha_bar == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("table", [[], [0.5, 0.5], [0.9, 1.0], [1.0, 0.5], [0.0, 0.5], [0.5, -0.1], [[0.5]]])
def test_tables_that_are_no_schedule_are_refused(table):
    with pytest.raises(UserError, match="alpha_bar must"):
        NoiseSchedule.from_alpha_bar(table)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "cosine"])
def test_a_table_rescaled_to_zero_terminal_snr_is_what_diffusers_makes_of_it(kind):
    from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

    table = NoiseSchedule(kind).alpha_bar
    betas = torch.from_numpy(1 - table / np.append(1.0, table[:-1]))
    expected = np.cumprod(1 - rescale_zero_terminal_snr(betas).numpy())
    found = NoiseSchedule(kind, zero_terminal_snr=True)
    assert found.alpha_bar == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert found.noisiest.alpha_bar == 0.0
    assert found.noisiest.log_snr == -math.inf
    assert found.cleanest.alpha_bar == pytest.approx(table[0], rel=1e-12)


@given(st.floats(0, 999))
def test_a_table_finds_the_time_of_its_own_log_snr(t):
    assert NoiseSchedule().time_of(NoiseSchedule().level(t).log_snr) == pytest.approx(t, abs=1e-6)


@pytest.mark.parametrize("schedule", [NoiseSchedule(), SigmaSchedule(), VPSchedule(), FlowSchedule()])
def test_a_level_outside_a_schedule_is_refused_with_its_ends(schedule):
    with pytest.raises(UserError, match="outside"):
        schedule.level(schedule.noisiest.t + 1)
    if math.isfinite(schedule.noisiest.log_snr):
        with pytest.raises(UserError, match="outside the model's levels"):
            schedule.at(schedule.noisiest.log_snr - 1)


@given(st.floats(1e-5, 1.0))
def test_a_linear_beta_in_continuous_time_finds_its_times(t):
    schedule = VPSchedule()
    level = schedule.level(t)
    assert schedule.time_of(level.log_snr) == pytest.approx(t, rel=1e-12)
    assert level.log_alpha_bar == pytest.approx(-0.5 * t**2 * 19.9 - 0.1 * t, rel=1e-12)


@pytest.mark.parametrize("t", [0.02, 0.3, 1.0])
def test_a_table_of_fine_steps_becomes_the_linear_beta_in_continuous_time(t):
    table = NoiseSchedule("linear", 10_000, 0.1 / 10_000, 20.0 / 10_000)
    assert table.level(10_000 * t - 1).log_alpha_bar == pytest.approx(VPSchedule().level(t).log_alpha_bar, rel=1e-2)


@pytest.mark.parametrize("options", [{"beta_min": 0.0}, {"beta_max": 0.05}, {"t_min": 0.0}, {"t_min": 1.0}])
def test_a_linear_beta_without_a_place_for_its_levels_is_refused(options):
    with pytest.raises(UserError, match="schedule: "):
        VPSchedule(**options)


@given(st.floats(-60, 60))
def test_both_square_roots_of_a_level_keep_their_digits_at_both_ends(log_snr):
    level, exact = NoiseLevel(0.0, log_snr), np.longdouble(log_snr)
    assert level.signal == pytest.approx(float(np.sqrt(1 / (1 + np.exp(-exact)))), rel=1e-14)
    assert level.noise == pytest.approx(float(np.sqrt(1 / (1 + np.exp(exact)))), rel=1e-14)


@given(st.floats(-40, 40), st.floats(1e-3, 30))
def test_a_steps_beta_and_posterior_variance_follow_from_its_two_levels(log_snr, further):
    step = Step(1.0, log_snr, NoiseLevel(0.0, log_snr + further), index=1, total=2)
    with localcontext(prec=60):
        one = Decimal(1)
        a, b = (one / (one + (-Decimal(x)).exp()) for x in (log_snr, log_snr + further))
        beta = one - a / b
        assert step.beta == pytest.approx(float(beta), rel=1e-11)
        assert step.posterior_variance == pytest.approx(float(beta * (one - b) / (one - a)), rel=1e-11)


def test_noise_alone_and_a_clean_state_are_levels():
    noise, clean = NoiseLevel(1.0, -math.inf), NoiseLevel(0.0, math.inf)
    assert (noise.signal, noise.noise, clean.signal, clean.noise) == (0.0, 1.0, 1.0, 0.0)
    step = Step(1.0, -math.inf, NoiseLevel(0.5, 0.0), index=1, total=2)
    assert (step.beta, step.posterior_variance) == (1.0, 0.5)


@given(st.floats(998, 998.999))
def test_between_noise_alone_and_the_level_before_it_a_table_knows_its_time(t):
    table = NoiseSchedule(zero_terminal_snr=True)
    level = table.level(t)
    assert -math.inf < level.log_snr <= table.log_snr[-2]
    assert table.time_of(level.log_snr) == pytest.approx(t, abs=1e-6)


def test_levels_of_its_own_below_the_last_finite_one_have_times_that_differ():
    times = [step.t for step in LogSNR(noisiest=-30.0).steps(NoiseSchedule(zero_terminal_snr=True), 30)]
    assert (np.diff(times) < 0).all()


@pytest.mark.parametrize("schedule", [NoiseSchedule(), SigmaSchedule(), VPSchedule()])
@pytest.mark.parametrize("log_snr", [-math.inf, math.inf])
def test_noise_alone_and_a_clean_state_are_outside_a_schedule_that_ends_before_them(schedule, log_snr):
    with pytest.raises(UserError, match="outside the model's levels"):
        schedule.at(log_snr)


def test_schedules_of_the_same_ends_are_not_alike_if_they_differ_between():
    linear = NoiseSchedule()
    straight = np.linspace(linear.log_snr[0], linear.log_snr[-1], 1000)
    other = NoiseSchedule.from_alpha_bar(1 / (1 + np.exp(-straight)))
    assert linear.is_like(NoiseSchedule())
    assert not linear.is_like(other)
    assert not linear.is_like(NoiseSchedule("cosine"))
