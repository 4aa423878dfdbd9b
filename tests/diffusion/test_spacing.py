import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dsg.diffusion import (
    Even,
    FlowSchedule,
    IntegerStride,
    Karras,
    Leading,
    LogSNR,
    NoiseSchedule,
    ShiftedFlow,
    SigmaSchedule,
    Trailing,
)
from dsg.diffusion.kernels import DDIM, DDPM, EulerMaruyama, EulerMaruyamaVE, Heun
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError

TABLE = NoiseSchedule()


def times(spacing, count, schedule=TABLE):
    return [step.t for step in spacing.steps(schedule, count)]


def test_even_spacing_of_ten_steps_visits_both_ends():
    assert times(Even(), 10) == [999, 888, 777, 666, 555, 444, 333, 222, 111, 0]
    assert times(Even(), 1) == [999]


def test_integer_stride_is_guided_diffusions_ddim_spacing():
    assert times(IntegerStride(), 10) == list(range(900, -1, -100))


def test_leading_and_trailing_spacing_start_at_their_own_ends():
    assert times(Leading(), 4) == [750, 500, 250, 0]
    assert times(Trailing(), 4) == [999, 749, 499, 249]


@pytest.mark.parametrize(
    ("spacing", "options"),
    [
        (Leading(), {"timestep_spacing": "leading"}),
        (Leading(offset=1), {"timestep_spacing": "leading", "steps_offset": 1}),
        (Trailing(), {"timestep_spacing": "trailing", "steps_offset": 1}),
        (Even(), {"timestep_spacing": "linspace"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["DDIMScheduler", "DDPMScheduler"])
def test_the_spacings_of_diffusers_visit_its_own_timesteps(kind, spacing, options):
    import diffusers

    scheduler = getattr(diffusers, kind)(**options)
    for count in (2, 7, 50, 300):
        scheduler.set_timesteps(count)
        assert times(spacing, count) == scheduler.timesteps.tolist()


def test_an_offset_that_leaves_the_table_is_refused():
    with pytest.raises(UserError, match="offset: must be at least 0"):
        Leading(offset=-1)
    with pytest.raises(UserError, match="timestep 1000 is outside the model's"):
        times(Leading(offset=1), 1000)


@given(total=st.integers(1, 1000), fraction=st.floats(0, 1), spacing=st.sampled_from([Even(), Leading(), Trailing()]))
def test_every_spacing_visits_as_many_distinct_levels_of_a_table_as_asked_for(total, fraction, spacing):
    count = 1 + round(fraction * (total - 1))
    visited = times(spacing, count, NoiseSchedule("linear", total))
    assert len(visited) == count
    assert (np.diff(visited) < 0).all()
    assert 0 <= visited[-1] <= visited[0] < total


def test_log_snr_spacing_is_even_in_it_and_keeps_the_ends():
    steps = LogSNR().steps(TABLE, 7)
    assert np.diff([step.log_snr for step in steps], 2) == pytest.approx(np.zeros(5), abs=1e-9)
    assert (steps[0].t, steps[-1].t) == pytest.approx((999, 0))


def test_karras_spacing_is_the_published_formula():
    sigmas = [step.sigma for step in Karras().steps(SigmaSchedule(), 18)]
    i = np.arange(18) / 17
    assert sigmas == pytest.approx((80 ** (1 / 7) + i * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7)


def test_a_shifted_flow_moves_its_times_towards_the_noise_and_keeps_the_ends():
    plain, shifted = (np.array(times(s, 8, FlowSchedule())) for s in (Even(), ShiftedFlow(3.0)))
    assert shifted == pytest.approx(3 * plain / (1 + 2 * plain))
    ends = [step.log_snr for step in ShiftedFlow(3.0).steps(TABLE, 8)]
    assert (ends[0], ends[-1]) == pytest.approx((TABLE.noisiest.log_snr, TABLE.cleanest.log_snr))


def test_a_shifted_flow_ends_at_a_time_of_one_s_own_which_is_shifted_too():
    steps = ShiftedFlow(3.0, last=0.1).steps(FlowSchedule(), 4)
    assert [step.t for step in steps] == pytest.approx([3 * t / (1 + 2 * t) for t in (1.0, 0.7, 0.4, 0.1)])
    assert steps[-1].prev.log_snr == np.inf


def test_a_flow_begins_at_noise_alone_and_ends_at_the_data():
    steps = Even().steps(FlowSchedule(), 4)
    assert [step.t for step in steps] == [1.0, 0.75, 0.5, 0.25]
    assert steps[0].alpha_bar == 0.0
    assert steps[-1].prev.log_snr == math.inf


@pytest.mark.parametrize(
    ("spacing", "schedule", "count", "words"),
    [
        (Even(), TABLE, 0, "at least 1"),
        (Even(), TABLE, 1001, "1 to 1000"),
        (Even(), TABLE, "ddim50", "steps N with spacing IntegerStride"),
        (Even(), TABLE, 2.5, "whole number"),
        (IntegerStride(), TABLE, 999, "no integer stride"),
        (Trailing(), FlowSchedule(), 5, "FlowSchedule has none; take Even, LogSNR"),
        (LogSNR(), FlowSchedule(), 5, "ends at -inf; give LogSNR its noisiest level"),
        (Karras(), FlowSchedule(), 5, "give Karras a sigma_max"),
        (Karras(sigma_max=200.0), SigmaSchedule(), 5, "outside the model's levels"),
        (LogSNR(noisiest=5.0, cleanest=0.0), TABLE, 5, "no less noisy"),
    ],
)
def test_levels_that_a_schedule_does_not_have_are_refused_in_one_line(spacing, schedule, count, words):
    with pytest.raises(UserError, match=words) as refusal:
        spacing.steps(schedule, count)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("make", [lambda: Karras(0.0), lambda: ShiftedFlow(0.0)])
def test_a_spacing_outside_its_range_is_refused(make):
    with pytest.raises(UserError, match="above 0"):
        make()


@pytest.mark.parametrize("last", [0.0, 1.0])
def test_a_last_time_that_is_an_end_of_the_flow_is_refused(last):
    with pytest.raises(UserError, match="must be inside 0 and 1"):
        ShiftedFlow(3.0, last)


def test_an_extreme_rho_overflows_nowhere():
    with pytest.raises(UserError, match=r"no less noisy|outside the model's levels"):
        Karras(1e-3).steps(SigmaSchedule(), 10)
    assert len(Karras(1e3).steps(SigmaSchedule(), 10)) == 10


@pytest.mark.parametrize(
    ("spacing", "options"),
    [
        (Leading(1, ends_clean=False), {"timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": False}),
        (Leading(1), {"timestep_spacing": "leading", "steps_offset": 1}),
        (Trailing(ends_clean=False), {"timestep_spacing": "trailing", "set_alpha_to_one": False}),
    ],
    ids=str,
)
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_the_last_step_leads_where_diffusers_ddim_leads(spacing, options, eta):
    import diffusers

    scheduler = diffusers.DDIMScheduler(clip_sample=False, **options)
    scheduler.set_timesteps(10)
    last = spacing.steps(TABLE, 10)[-1]
    x, epsilon, noise = torch.randn(3, 1, 2, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = scheduler.step(epsilon, int(last.t), x, eta=eta, variance_noise=noise if eta else None).prev_sample
    prediction = Prediction((x - last.noise * epsilon) / last.signal, epsilon)
    made = DDIM(eta).transition(x, prediction, last).sample(noise)
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)  # their table is float32


@pytest.mark.parametrize("kernel", [DDPM(), EulerMaruyama(), EulerMaruyamaVE(), Heun()], ids=lambda k: type(k).__name__)
def test_a_last_step_that_does_not_end_clean_is_a_step_as_the_others(kernel):
    def predict(x, level):
        return Prediction(torch.zeros_like(x), x / level.noise)

    last, x = Leading(1, ends_clean=False).steps(TABLE, 10)[-1], torch.ones(1, 4)
    before = replace(last, index=1)
    made, as_others = (kernel.transition(x, predict(x, step), step, predict) for step in (last, before))
    assert torch.equal(made.mean, as_others.mean)
    assert made.std == as_others.std
    assert made.mean.abs().max() > 1e-3
    assert (made.std > 0) == kernel.is_stochastic


def test_steps_that_begin_where_they_should_end_are_refused():
    for spacing, count in ((Leading(ends_clean=False), 10), (Trailing(ends_clean=False), 1000)):
        with pytest.raises(UserError, match="ends_clean"):
            spacing.steps(TABLE, count)
