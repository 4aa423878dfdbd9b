"""What DSG's sphere costs in directions that the gradient does not touch: the closed form and the sampler agree."""

import pytest

from benchmarks.dsg_radius import RADII, kept_power, on_mixture, on_normal, predicted_std
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.guidance import DSG


def test_the_power_that_noise_keeps_is_the_one_on_the_page():
    assert [round(kept_power(rate, "fixed"), 3) for rate in (0.05, 0.1, 0.2, 0.3, 0.5)] == [
        0.997, 0.988, 0.941, 0.845, 0.5,
    ]  # fmt: skip
    assert kept_power(0.5, "free") == 1.0


def test_a_hundred_steps_have_the_spread_on_the_page():
    steps = Even().steps(NoiseSchedule(), 100)
    found = [predicted_std(steps, DSG(guidance_rate=rate)) for rate in (0.0, 0.1, 0.2, 0.3, 0.5)]
    assert found == pytest.approx([0.960, 0.954, 0.931, 0.882, 0.679], abs=5e-4)
    assert predicted_std(steps, DSG(guidance_rate=0.5, radius="free")) == found[0]


@pytest.mark.parametrize("radius", RADII)
def test_what_is_not_measured_has_the_spread_that_the_closed_form_says(radius):
    found = on_normal(DSG(guidance_rate=0.5, radius=radius), side=16, images=6, steps=25)
    assert found["unseen_std"] == pytest.approx(found["predicted_std"], abs=0.05)
    assert (found["unseen_std"] > 0.75) == (radius == "free")
    assert found["seen_rmse"] < 0.15


def test_where_dsg_does_not_guide_the_closed_form_is_the_unguided_sampler_s():
    unguided = on_normal(DSG(guidance_rate=0.0), side=8, images=1, steps=10)["predicted_std"]
    late = on_normal(DSG(guidance_rate=0.5, start=9), side=8, images=1, steps=10)["predicted_std"]
    assert late == unguided  # the last step has no noise to shorten
    assert on_normal(DSG(guidance_rate=0.5), side=8, images=1, steps=10)["predicted_std"] < unguided


def test_a_mixture_s_posterior_is_compared_problem_by_problem():
    found = on_mixture(DSG(guidance_rate=0.2), problems=2, samples=8)
    assert found.keys() == {"sliced_wasserstein", "mean_error", "spread_ratio"}
    assert all(0 < value < 100 for value in found.values())
