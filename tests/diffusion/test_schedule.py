import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsg.diffusion.schedule import NoiseSchedule, timesteps
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


def test_even_spacing_of_ten_steps_visits_both_ends():
    assert timesteps(1000, 10).tolist() == [0, 111, 222, 333, 444, 555, 666, 777, 888, 999]


def test_ddim_spacing_strides_by_an_integer():
    assert timesteps(1000, "ddim10").tolist() == list(range(0, 1000, 100))


def test_leading_and_trailing_spacing_start_at_their_own_ends():
    assert timesteps(1000, 4, "leading").tolist() == [0, 250, 500, 750]
    assert timesteps(1000, 4, "trailing").tolist() == [249, 499, 749, 999]


@given(total=st.integers(1, 1000), fraction=st.floats(0, 1), spacing=st.sampled_from(["even", "leading", "trailing"]))
def test_every_spacing_visits_as_many_distinct_levels_as_asked_for(total, fraction, spacing):
    steps = 1 + round(fraction * (total - 1))
    visited = timesteps(total, steps, spacing)
    assert len(visited) == steps
    assert (np.diff(visited) > 0).all()
    assert visited[0] >= 0
    assert visited[-1] < total


def test_a_respaced_step_knows_the_next_level_and_ends_clean():
    schedule = NoiseSchedule()
    steps = schedule.respace(10)
    assert [s.index for s in steps] == list(range(9, -1, -1))
    assert [s.position for s in steps] == list(range(10))
    for step, following in itertools.pairwise(steps):
        assert step.alpha_bar_prev == following.alpha_bar
    assert steps[-1].alpha_bar_prev == 1.0
    assert steps[-1].posterior_variance == 0.0


@pytest.mark.parametrize(
    ("steps", "words"),
    [(0, "1 to 1000"), (1001, "1 to 1000"), ("ddim7x", "ddimN"), ("ddim999", "no integer stride"), ("fast", "ddimN")],
)
def test_impossible_step_counts_are_refused_with_the_range(steps, words):
    with pytest.raises(UserError, match=words):
        NoiseSchedule().respace(steps)


@pytest.mark.parametrize("table", [[], [0.5, 0.5], [0.9, 1.0], [0.5, 0.0], [[0.5]]])
def test_tables_that_are_no_schedule_are_refused(table):
    with pytest.raises(UserError, match="falls strictly"):
        NoiseSchedule.from_alpha_bar(table)


def test_an_unknown_spacing_is_refused():
    with pytest.raises(UserError, match="even, leading, trailing or log_snr"):
        NoiseSchedule().respace(10, "linspace")
