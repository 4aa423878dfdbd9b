import math

import pytest
import torch

from dsg.diffusion.continuous_spacing import LogSNR
from dsg.diffusion.kernels import DDIM, DDPM, EulerMaruyamaVE, Renoise, Transition
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.types import per_sample_norm

STEPS = Even().steps(NoiseSchedule(), 20)


def _prediction(step, clip=False, seed=0):
    """A noised clean state whose ε is known, so that its exact x_0 is the clean estimate."""
    generator = torch.Generator().manual_seed(seed)
    clean, epsilon = torch.randn(2, 4, 3, 8, 8, generator=generator, dtype=torch.float64).unbind()
    x_t = math.sqrt(step.alpha_bar) * clean + math.sqrt(1 - step.alpha_bar) * epsilon
    prediction = Prediction.from_epsilon(epsilon, x_t, step)
    return clean, x_t, prediction.clamped(-1.0, 1.0, x_t, step) if clip else prediction


@pytest.mark.parametrize("step", STEPS)
def test_tweedies_formula_recovers_the_clean_state_from_the_exact_noise(step):
    clean, _, prediction = _prediction(step)
    assert torch.allclose(prediction.clean_estimate, clean)


def test_clipping_bounds_the_clean_estimate_and_recomputes_epsilon_from_it():
    step = STEPS[3]
    _, x_t, prediction = _prediction(step, clip=True)
    assert prediction.clean_estimate.abs().max() == 1
    a = step.alpha_bar
    assert torch.allclose(math.sqrt(a) * prediction.clean_estimate + math.sqrt(1 - a) * prediction.epsilon, x_t)


@pytest.mark.parametrize("step", STEPS[:-1])
def test_ddim_with_eta_one_and_ddpm_with_fixed_small_variance_are_the_same_kernel(step):
    _, x_t, prediction = _prediction(step)
    ddim, ddpm = (k.transition(x_t, prediction, step) for k in (DDIM(1.0), DDPM("fixed_small")))
    assert torch.allclose(ddim.mean, ddpm.mean)
    assert ddim.std == pytest.approx(ddpm.std, rel=1e-12)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_ddim_keeps_the_marginal_variance_of_the_next_level(step, eta):
    """With the exact ε the mean's share of noise and σ add up to 1 − ā_prev."""
    clean, x_t, prediction = _prediction(step)
    transition = DDIM(eta).transition(x_t, prediction, step)
    share = (transition.mean - math.sqrt(step.prev.alpha_bar) * clean) / prediction.epsilon
    assert torch.allclose(share**2 + transition.std**2, torch.full_like(share, 1 - step.prev.alpha_bar), atol=1e-9)


def test_ddim_without_eta_inverts_the_noising_exactly():
    step = STEPS[5]
    clean, x_t, prediction = _prediction(step)
    expected = math.sqrt(step.prev.alpha_bar) * clean + math.sqrt(1 - step.prev.alpha_bar) * prediction.epsilon
    assert torch.allclose(DDIM(0.0).transition(x_t, prediction, step).mean, expected)


@pytest.mark.parametrize(("value", "name"), [(-1.0, "fixed_small"), (1.0, "fixed_large")])
def test_the_ends_of_the_learned_range_are_the_two_fixed_variances(value, name):
    step = STEPS[4]
    _, x_t, prediction = _prediction(step)
    learned = Prediction(prediction.clean_estimate, prediction.epsilon, torch.full_like(x_t, value))
    std = DDPM("learned_range").transition(x_t, learned, step).std
    assert torch.allclose(std, torch.full_like(std, DDPM(name).transition(x_t, prediction, step).std))


@pytest.mark.parametrize("kernel", [DDIM(1.0), DDPM("fixed_small"), DDPM("fixed_large"), DDPM("learned_range")])
def test_the_last_step_adds_no_noise(kernel):
    _, x_t, prediction = _prediction(STEPS[-1])
    assert kernel.transition(x_t, prediction, STEPS[-1]).std == 0.0


def test_the_radius_is_root_n_sigma_and_the_norm_of_a_map():
    mean = torch.zeros(2, 3, 4, 4)
    std = torch.full_like(mean, 0.5)
    assert torch.allclose(Transition(mean, 0.5).radius(), torch.full((2,), math.sqrt(48) * 0.5))
    assert torch.allclose(Transition(mean, std).radius(), per_sample_norm(std))


@pytest.mark.parametrize("eta", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("kernel", [DDIM, Renoise])
def test_eta_outside_its_range_is_refused(kernel, eta):
    with pytest.raises(UserError, match=r"\[0, 1\]"):
        kernel(eta)


@pytest.mark.parametrize("step", STEPS)
def test_renoising_without_fresh_noise_is_ddim_without_eta(step):
    _, x_t, prediction = _prediction(step)
    renoise, ddim = (k.transition(x_t, prediction, step) for k in (Renoise(0.0), DDIM(0.0)))
    assert torch.allclose(renoise.mean, ddim.mean)
    assert renoise.std == 0.0


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("eta", [0.5, 0.85, 1.0])
def test_renoising_draws_the_same_share_of_the_noise_afresh_at_every_step(step, eta):
    _, x_t, prediction = _prediction(step)
    transition = Renoise(eta).transition(x_t, prediction, step)
    assert transition.std == pytest.approx(eta * math.sqrt(1 - step.prev.alpha_bar))
    share = (transition.mean - math.sqrt(step.prev.alpha_bar) * prediction.clean_estimate) / prediction.epsilon
    assert torch.allclose(share**2 + transition.std**2, torch.full_like(share, 1 - step.prev.alpha_bar), atol=1e-9)


@pytest.mark.parametrize("step", STEPS)
def test_the_fresh_share_of_a_flow_grows_towards_the_data_and_keeps_the_variance(step):
    _, x_t, prediction = _prediction(step)
    kernel = Renoise("flow")
    transition, fixed = (k.transition(x_t, prediction, step) for k in (kernel, Renoise(kernel.share(step))))
    assert torch.equal(transition.mean, fixed.mean)
    assert transition.std == fixed.std
    time = step.prev.noise / (step.prev.signal + step.prev.noise)
    assert kernel.share(step) == pytest.approx(math.sqrt(1.0 - time))
    assert kernel.is_stochastic
    with pytest.raises(UserError, match="or flow"):
        Renoise("flows")


@pytest.mark.parametrize("eta", [0.5, 0.85])
def test_renoising_in_fine_steps_narrows_a_gaussian_by_the_law_that_it_states(eta):
    """On N(0, 1), where x̂ = √ā x_t and ε = √(1−ā) x_t, a step scales a state and adds noise."""
    variance, kernel = 1.0, Renoise(eta)
    for step in LogSNR().steps(NoiseSchedule("linear", 1000, 1e-6, 2e-2), 2000)[:-1]:
        x_t = torch.ones(1, 1, dtype=torch.float64)
        prediction = Prediction(step.signal * x_t, step.noise * x_t)
        transition = kernel.transition(x_t, prediction, step)
        variance = transition.mean.item() ** 2 * variance + transition.std**2
    assert variance == pytest.approx((1 + math.sqrt(1 - eta**2)) / 2, abs=5e-3)
    assert not kernel.becomes_exact


@pytest.mark.parametrize("step", STEPS[:-1])
def test_the_reverse_sde_of_exploding_states_has_the_mean_of_ddpm_and_the_noise_of_its_step(step):
    _, x_t, prediction = _prediction(step)
    exploding, ddpm = (k.transition(x_t, prediction, step) for k in (EulerMaruyamaVE(1.0), DDPM()))
    assert torch.allclose(exploding.mean, ddpm.mean)
    added = math.sqrt(1 / step.alpha_bar - 1 / step.prev.alpha_bar)  # to x/√ā
    assert exploding.std == pytest.approx(math.sqrt(step.prev.alpha_bar) * added)
    half = EulerMaruyamaVE(0.0).transition(x_t, prediction, step).mean
    start = math.sqrt(step.prev.alpha_bar / step.alpha_bar) * x_t
    assert torch.allclose(half - start, (ddpm.mean - start) / 2)
    stds = [EulerMaruyamaVE(noise).transition(x_t, prediction, step).std for noise in (0.5, 0.0)]
    assert stds == [pytest.approx(exploding.std / 2), 0.0]


def test_an_unknown_variance_is_refused():
    with pytest.raises(UserError, match="fixed_small, fixed_large or learned_range"):
        DDPM("learned")
