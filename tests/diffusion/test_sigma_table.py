"""A table of σ: whatever is asked for is rounded to it."""

import math

import pytest

from dsg.diffusion import Even, Karras, SigmaTable
from dsg.errors import UserError

TABLE = SigmaTable([80.0, 20.0, 5.0, 1.0, 0.2, 0.01])


@pytest.mark.parametrize(("sigma", "found"), [(80.0, 80.0), (99.0, 80.0), (51.0, 80.0), (49.0, 20.0), (0.7, 1.0)])
def test_a_level_is_the_nearest_of_the_table(sigma, found):
    for level in (TABLE.level(sigma), TABLE.at(-2 * math.log(sigma)), TABLE.nearest(-2 * math.log(sigma))):
        assert level.t == found
        assert level.sigma == pytest.approx(found, rel=1e-12)


def test_karras_levels_are_rounded_to_the_table():
    assert [step.t for step in Karras(sigma_max=79.0, sigma_min=0.011).steps(TABLE, 4)] == [80.0, 5.0, 1.0, 0.01]


def test_levels_that_round_to_one_are_refused():
    with pytest.raises(UserError, match="no less noisy"):
        Even().steps(TABLE, 5)


def test_what_rounds_to_no_level_is_refused_and_has_a_nearest_one():
    with pytest.raises(UserError, match=r"σ = 200 is outside the model's, 0\.01 to 80"):
        TABLE.level(200.0)
    assert TABLE.nearest(-2 * math.log(200.0)).t == 80.0


@pytest.mark.parametrize("sigmas", [[1.0], [1.0, 1.0], [1.0, 2.0], [1.0, 0.0], [math.inf, 1.0], [1.0, math.nan]])
def test_a_list_that_does_not_fall_is_refused(sigmas):
    with pytest.raises(UserError, match="fall strictly"):
        SigmaTable(sigmas)
