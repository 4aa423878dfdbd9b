"""The step rules on their own, in closed form. What every method must do is in test_contract.py."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dsg.diffusion.kernels import DDIM, DDPM, Transition
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.guidance import DPS, DSG, FreeDoM
from dsg.process import GuidedStep, LossGradient
from dsg.types import direction, per_sample_norm
from tasks import Denoising
from tests.toy import Toy

STEP = Even().steps(NoiseSchedule(), 10)[4]


def _random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _setting(shape=(4, 3, 6, 6), std=0.3, seed=0):
    mean, noise, gradient = _random(3, *shape, seed=seed).unbind()
    return Transition(mean, std), noise, gradient


def update(guidance, transition, noise, gradient):
    prediction = Prediction(transition.mean, noise)
    guide = LossGradient(prediction, torch.zeros(len(noise)), gradient)
    return guidance.update(GuidedStep(STEP, transition.mean, guide, transition, noise), None)


def test_dps_subtracts_the_gradient_times_its_step_size():
    transition, noise, gradient = _setting()
    expected = transition.mean + 0.3 * noise - 2.0 * gradient
    assert torch.allclose(update(DPS(2.0), transition, noise, gradient), expected)


@settings(max_examples=60)
@given(
    rate=st.floats(0, 1), std=st.floats(1e-4, 10), side=st.integers(1, 6), seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-30, 1e-8, 1.0, 1e8, 1e30]),
)  # fmt: skip
def test_dsg_stays_on_the_sphere_whatever_the_rate_and_the_size_of_the_gradient(rate, std, side, seed, scale):
    transition, noise, gradient = _setting((3, 2, side, side), std, seed)
    x_prev = update(DSG(guidance_rate=rate), transition, noise, gradient * scale)
    expected = math.sqrt(2 * side * side) * std
    assert per_sample_norm(x_prev - transition.mean).tolist() == pytest.approx([expected] * 3, rel=1e-9)


def test_dsg_with_rate_one_is_the_closed_form_minimiser_on_the_sphere():
    transition, noise, gradient = _setting()
    displacement = update(DSG(guidance_rate=1.0), transition, noise, gradient) - transition.mean
    assert torch.allclose(displacement, -math.sqrt(108) * 0.3 * direction(gradient))
    others = math.sqrt(108) * 0.3 * direction(_random(200, 3, 6, 6, seed=7))
    assert ((others * gradient[0]).flatten(1).sum(1) > (displacement[0] * gradient[0]).sum()).all()


def test_dsg_follows_the_direction_of_the_gradient_and_not_its_size():
    transition, noise, gradient = _setting()
    one, other = (update(DSG(), transition, noise, gradient * s) for s in (1e-12, 1e12))
    assert torch.allclose(one, other)


@pytest.mark.parametrize(("rate", "cosine"), [(0.05, 0.053), (0.1, 0.110), (0.2, 0.243), (0.5, 0.707)])
def test_the_cosine_between_dsgs_step_and_minus_the_gradient_is_the_published_one(rate, cosine):
    transition, noise, gradient = _setting((64, 3, 64, 64))
    displacement = update(DSG(guidance_rate=rate), transition, noise, gradient) - transition.mean
    measured = -(direction(displacement) * direction(gradient)).flatten(1).sum(1).mean().item()
    assert measured == pytest.approx(cosine, abs=2e-3)
    assert measured == pytest.approx(rate / math.hypot(rate, 1 - rate), abs=2e-3)


def test_a_sample_without_gradient_takes_the_ordinary_step_and_its_neighbours_do_not():
    transition, noise, gradient = _setting()
    gradient[1] = 0
    x_prev = update(DSG(), transition, noise, gradient)
    ordinary = transition.sample(noise)
    assert [torch.equal(a, b) for a, b in zip(x_prev, ordinary, strict=True)] == [False, True, False, False]


@pytest.mark.parametrize("radius", ["fixed", "chi", "free"])
def test_a_gradient_that_is_no_number_is_no_ordinary_step(radius):
    transition, noise, gradient = _setting()
    gradient[1, 0, 0, 0] = math.nan
    gradient[2, 0, 0, 0] = math.inf
    finite = update(DSG(radius=radius), transition, noise, gradient).flatten(1).isfinite().all(dim=1)
    assert finite.tolist() == [True, False, False, True]


def test_dsg_without_noise_stays_at_the_mean():
    transition, noise, gradient = _setting(std=0.0)
    assert torch.equal(update(DSG(), transition, noise, gradient), transition.mean)


def test_dsg_on_one_dimensional_states_steps_by_plus_or_minus_sigma():
    transition, noise, gradient = _setting((8, 1))
    x_prev = update(DSG(guidance_rate=1.0), transition, noise, gradient)
    assert torch.allclose(x_prev, transition.mean - 0.3 * gradient.sign())


def test_dsg_under_a_learned_variance_has_the_norm_of_the_standard_deviation_map():
    std = _random(4, 3, 6, 6, seed=3).abs() + 0.1
    mean, noise, gradient = _random(3, 4, 3, 6, 6).unbind()
    x_prev = update(DSG(guidance_rate=0.4), Transition(mean, std), noise, gradient)
    assert torch.allclose(per_sample_norm(x_prev - mean), per_sample_norm(std))


def test_dsg_guides_the_steps_whose_index_its_interval_divides_inside_its_window():
    steps = Even().steps(NoiseSchedule(), 10)
    guided = [s.index for s in steps if DSG(interval=3, start=1, stop=8).is_guided(s)]
    assert guided == [6, 3]
    assert [s.index for s in steps if DSG(interval=3).is_guided(s)] == [9, 6, 3]  # index 0 has no noise to turn


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dsg_with_a_free_radius_leaves_the_noise_alone_and_leans_as_far_as_on_the_sphere(rate):
    transition, noise, gradient = _setting((4, 3, 64, 64))
    free = update(DSG(guidance_rate=rate, radius="free"), transition, noise, gradient) - transition.mean
    pull = math.sqrt(3 * 64 * 64) * 0.3 * rate / (1 - rate)
    assert torch.allclose(free, 0.3 * noise - pull * direction(gradient))
    fixed = update(DSG(guidance_rate=rate), transition, noise, gradient) - transition.mean
    cosines = [-(direction(step) * direction(gradient)).flatten(1).sum(1) for step in (free, fixed)]
    assert torch.allclose(cosines[0], cosines[1])


def test_a_free_step_of_a_sample_without_gradient_is_the_ordinary_one():
    transition, noise, gradient = _setting()
    gradient[1] = 0
    x_prev = update(DSG(radius="free"), transition, noise, gradient)
    assert torch.equal(x_prev[1], transition.sample(noise)[1])


@pytest.mark.parametrize("total", [10, 50, 100, 250, 1000])
def test_a_window_stated_for_a_hundred_steps_is_the_same_share_of_any_trajectory(total):
    steps = Even().steps(NoiseSchedule(), total)
    base = FreeDoM(repetitions=3, travel_start=30, travel_stop=60, stated_for=100)
    published = DSG(base, start=30, stop=70, stated_for=100)
    guided = [step.position for step in steps if published.is_guided(step)]
    travels = [step.position for step in steps if published.repeats(step) == 3]
    assert guided == list(range(total * 3 // 10, total * 7 // 10))
    assert travels == list(range(total * 3 // 10, total * 6 // 10))


def test_dsg_guides_where_its_own_window_and_its_base_s_allow_it():
    steps = Even().steps(NoiseSchedule(), 10)
    both = DSG(FreeDoM(t_low=300, stop=6), t_low=200, start=2)
    assert [s.position for s in steps if both.is_guided(s)] == [2, 3, 4, 5]
    assert [s.position for s in steps if DSG(t_low=300).is_guided(s)] == [s.position for s in steps if s.t >= 300]
    assert DSG(FreeDoM(0.0)).is_guided(steps[0])  # a base's strength is not used


def test_the_pull_of_a_rate_that_is_stated_for_a_number_of_steps_falls_with_the_root_of_more():
    pulls = {}
    for total in (25, 100, 400):
        rate = DSG(guidance_rate=0.2, stated_for=100).rate(Even().steps(NoiseSchedule(), total)[3])
        pulls[total] = rate / (1 - rate)
    assert [pulls[25], pulls[100], pulls[400]] == pytest.approx([0.5, 0.25, 0.125])
    assert DSG(guidance_rate=1.0, stated_for=100).rate(STEP) == 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"guidance_rate": 1.5}, r"guidance_rate.*\[0, 1\].*1.5"),
        ({"guidance_rate": float("nan")}, "guidance_rate"),
        ({"interval": 0}, "interval.*at least 1"),
        ({"start": 5, "stop": 5}, "start < stop"),
        ({"t_low": -1}, "t_low: must be at least 0"),
        ({"stated_for": 0}, "stated_for: must be at least 1"),
        ({"radius": "round"}, "radius: .*fixed, chi, free, got 'round'"),
        ({"guidance_rate": 1.0, "radius": "free"}, "guidance_rate: .*below 1"),
        ({"final_rate": 1.0, "radius": "free"}, "final_rate: .*below 1"),
    ],
)
def test_impossible_settings_of_dsg_are_refused_in_words(options, words):
    with pytest.raises(UserError, match=words):
        DSG(**options)


def test_a_negative_dps_step_size_is_refused():
    with pytest.raises(UserError, match="at least 0"):
        DPS(-1.0)


def test_dsg_over_a_deterministic_kernel_is_refused_with_the_mend():
    with pytest.raises(UserError, match=r"eta above 0 .* a function of seed and image all the same"):
        DSG().check(DDIM(eta=0.0), Denoising(), Toy(16))
    DSG().check(DDPM(), Denoising(), Toy(16))
