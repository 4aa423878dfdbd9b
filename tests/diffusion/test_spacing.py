import math

import numpy as np
import pytest
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
