"""What the loss-guidance methods are of each other, step by step. Without clipping, where the identities are exact."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion import FlowSchedule
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams, Purpose, SampleKey
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.guidance import DPS, DSG, LGDMC, MPGD, TFG, UGD, FreeDoM, Guidance, Unguided
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from dsg.types import State
from tasks import SuperResolution
from tests.toy import Toy

MODEL, TASK = Toy(16), SuperResolution()
STEPS = Even().steps(MODEL.schedule, 12)


def process() -> ReverseProcess:
    reference = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(3)) * 2 - 1
    sampler = Sampler(MODEL, TASK, Unguided(), DDIM(), 12, clip_denoised=False)
    return sampler.begin(Examples(reference), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))


def after(guidance: Guidance, step: Step) -> State:
    """x_prev of one step from a fixed state, with the same noise for every method."""
    x_t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(step.position))
    with torch.no_grad():
        return guidance.step(x_t, step, process()).x_prev


def tfg(**options) -> TFG:
    """TFG with everything off and constant schedules, but for `options`."""
    off = {"rho": 0.0, "mu": 0.0, "sigma": 0.0, "iterations": 1}
    constant = {"rho_curve": "constant", "mu_curve": "constant", "sigma_curve": "constant"}
    return TFG(**off | constant | options)


def same(one: Guidance, other: Guidance, step: Step) -> bool:
    return torch.allclose(after(one, step), after(other, step), atol=2e-5, rtol=1e-4)


every_step = pytest.mark.parametrize("step", STEPS, ids=lambda s: f"step {s.position}")


@every_step
def test_tfg_with_variance_guidance_alone_is_dps(step):
    assert same(tfg(rho=0.7 * math.sqrt(1 - step.beta)), DPS(0.7), step)


@every_step
def test_tfg_with_variance_guidance_scaled_by_the_signal_is_freedom(step):
    assert same(tfg(rho=0.7 * math.sqrt(1 - step.beta) * math.sqrt(step.alpha_bar)), FreeDoM(0.7), step)


@every_step
def test_tfg_with_smoothed_variance_guidance_is_lgd_mc(step):
    smoothed = tfg(rho=0.7 * math.sqrt(1 - step.beta), sigma=math.sqrt(1 - step.alpha_bar), draws=3)
    assert same(smoothed, LGDMC(0.7, draws=3), step)


@every_step
def test_tfg_with_mean_guidance_alone_is_mpgd(step):
    assert same(tfg(mu=0.3), MPGD(0.3), step)


def _weights(step: Step) -> tuple[float, float]:
    """How much of x̂ and of ε is in the mean of DDIM with η = 1."""
    return math.sqrt(step.prev.alpha_bar), math.sqrt(max(1 - step.prev.alpha_bar - step.posterior_variance, 0.0))


@every_step
def test_tfg_with_variance_guidance_weighted_by_the_kernel_is_ugds_forward_part(step):
    of_estimate, of_epsilon = _weights(step)
    added = 0.7 * math.sqrt(1 - step.alpha_bar)  # to ε, in units of the gradient
    shift = added * (of_estimate * math.sqrt(1 / step.alpha_bar - 1) - of_epsilon)
    assert same(tfg(rho=shift * math.sqrt(1 - step.beta)), UGD(0.7), step)


@every_step
def test_tfg_with_mean_guidance_weighted_by_the_kernel_is_ugds_backward_part(step):
    of_estimate, of_epsilon = _weights(step)
    share = (of_estimate - of_epsilon * math.sqrt(step.alpha_bar / (1 - step.alpha_bar))) / of_estimate
    assert same(tfg(mu=0.3 * share), UGD(0.0, 1, 0.3), step)


@every_step
def test_lgd_mc_without_spread_is_dps(step):
    assert same(LGDMC(0.7, draws=3, spread=0.0), DPS(0.7), step)


def test_lgd_mc_has_the_gradient_of_the_averaged_likelihood():
    step, x_t = STEPS[6], torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(6))
    guide = LGDMC(draws=4).gradient(x_t, step, process())
    other = process()
    shifts = [math.sqrt(1 - step.alpha_bar) * other.noise(x_t, Purpose.MONTE_CARLO) for _ in range(4)]
    x = x_t.clone().requires_grad_()
    clean = other.predict(x, step).clean_estimate
    likelihood = sum(torch.exp(-other.loss(clean + shift).double()) for shift in shifts) / 4
    (expected,) = torch.autograd.grad(-likelihood.log().sum(), x)
    assert torch.allclose(guide.gradient, expected, atol=1e-5, rtol=1e-3)


def test_time_travel_goes_back_up_to_the_marginal_of_the_level_it_left():
    """A state of unit variance keeps unit variance: ā/ā_prev + (1 − ā/ā_prev) = 1."""
    streams = NoiseStreams([SampleKey(0, str(i)) for i in range(200)])
    x_prev = streams.normal(Purpose.INITIAL, (3, 16, 16))
    travelled = ReverseProcess(MODEL, TASK, None, DDIM(), streams, STEPS).renoise(x_prev, STEPS[3])
    assert travelled.std().item() == pytest.approx(1, abs=0.01)
    correlation = (travelled * x_prev).mean().item()
    assert correlation == pytest.approx(math.sqrt(STEPS[3].alpha_bar / STEPS[3].prev.alpha_bar), abs=0.01)


def test_time_travel_of_another_number_of_repetitions_changes_no_reverse_noise_before_it():
    one, two = process(), process()
    for repetitions, p in ((1, one), (3, two)):
        trajectory = FreeDoM(0.1, repetitions, 5, 6).sample(torch.zeros(2, 3, 16, 16), p)
        with torch.no_grad():
            states = [record.x_prev for record, _ in zip(trajectory, range(6), strict=False)]
        p.states = states
    assert all(torch.equal(a, b) for a, b in zip(one.states[:5], two.states[:5], strict=True))
    assert not torch.equal(one.states[5], two.states[5])


def test_dsgs_rate_runs_linearly_from_its_first_to_its_final_value():
    rates = [DSG(guidance_rate=0.1, final_rate=0.65).rate(step) for step in STEPS]
    assert rates == pytest.approx([0.1 + 0.05 * i for i in range(12)])


def test_dsg_with_the_chi_radius_keeps_the_norm_of_its_own_noise():
    step, p = STEPS[4], process()
    noise = process().noise(torch.zeros(2, 3, 16, 16))
    x_t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        record = DSG(guidance_rate=0.4, radius="chi").step(x_t, step, p)
    expected = record.transition.std * noise.flatten(1).norm(dim=1)
    assert torch.allclose(record.displacement.flatten(1).norm(dim=1), expected, rtol=1e-5)


def test_schedules_of_tfg_have_mean_one_and_their_direction():
    from dsg.guidance.curve import weight

    for curve, rising in (("increase", True), ("decrease", False)):
        values = [weight(curve, step, STEPS) for step in STEPS]
        assert sum(values) / len(values) == pytest.approx(1)
        assert (values[-2] > values[0]) == rising
    (alone,) = Even().steps(FlowSchedule(), 1)  # from noise alone: 1 − β is 0
    assert [weight(curve, alone, [alone]) for curve in ("constant", "increase", "decrease")] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("method", [FreeDoM, LGDMC, MPGD, UGD, TFG])
def test_every_number_of_a_method_that_is_below_its_range_is_refused_by_name(method):
    from dsg.errors import UserError

    numbers = [f.name for f in dataclasses.fields(method) if type(f.default) in (int, float)]
    assert numbers
    for name in numbers:
        with pytest.raises(UserError, match=name):
            method(**{name: -1})


def test_tfg_s_variance_guidance_refuses_levels_that_start_from_noise_alone():
    model = GaussianMixture.standard_normal((3, 16, 16), NoiseSchedule(zero_terminal_snr=True))
    with pytest.raises(UserError, match=r"TFG divides by √ā .* set model.spacing"):
        Sampler(model, TASK, TFG(rho=1.0), DDIM(), 12)
    Sampler(model, TASK, TFG(rho=0.0, mu=1.0), DDIM(), 12)
    Sampler(model, TASK, DSG(TFG(rho=1.0)), DDIM(), 12)  # which follows its gradient, and takes another step


@pytest.mark.parametrize("base", [FreeDoM(3.0), UGD(40.0)], ids=lambda base: type(base).__name__)
def test_dsg_takes_the_direction_alone_so_that_over_one_gradient_of_any_strength_it_is_one_method(base):
    for step in STEPS:
        torch.testing.assert_close(after(DSG(base, 0.2), step), after(DSG(DPS(0.1), 0.2), step), rtol=0.0, atol=1e-5)
