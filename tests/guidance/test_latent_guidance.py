"""Guidance in latents, on a linear autoencoder, where what a method does has a closed form."""

from __future__ import annotations

import math

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.continuous import flow_time
from dsg.diffusion.kernels import DDIM, Renoise
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DPS, DSG, FLAIR, PSLD, BackProjected, FlowDPS, Guidance, ReSample, Unguided
from dsg.guidance.chain import Target
from dsg.guidance.chain_step import Slope
from dsg.guidance.hard_consistency import HardConsistency
from dsg.guidance.resample import resampled
from dsg.guidance.steepness import steepness
from dsg.models.latent import LatentModel, LinearAutoencoder
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.sampling import Sampler

GENERATOR = torch.Generator().manual_seed(0)
W = torch.randn(48, 6, generator=GENERATOR, dtype=torch.float64)
MEAN = torch.full((48,), 0.1, dtype=torch.float64)
MODEL = LatentModel(GaussianMixture.standard_normal((6,)), LinearAutoencoder(W, MEAN, (3, 4, 4)))
IMAGES = torch.randn(2, 3, 4, 4, generator=GENERATOR)
TASK = tasks.RandomInpainting(drop_min=0.5, drop_max=0.5)


def process(guidance: Guidance | None = None, task=TASK, kernel=None) -> ReverseProcess:
    sampler = Sampler(MODEL, task, guidance or Unguided(), kernel or DDIM(), 8)
    return sampler.begin(Examples(IMAGES), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))


def matrix(of: ReverseProcess) -> torch.Tensor:
    """A of both samples, (2, 48, 48) float64, as its images of the unit vectors."""
    units = torch.eye(48).reshape(48, 1, 3, 4, 4).expand(48, 2, 3, 4, 4)
    columns = [of.measurement.operator.forward(unit).flatten(1) for unit in units]
    return torch.stack(columns, dim=-1).double()


def latents() -> torch.Tensor:
    return torch.randn(2, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("squared", [False, True])
def test_the_gradient_of_psld_is_that_of_its_formula(squared):
    guidance = PSLD(0.7, 0.3, squared, "adjoint")
    own, x_t = process(guidance), latents()
    step, A, E = own.steps[3], matrix(own), torch.linalg.pinv(W)
    z = step.signal * x_t.double()  # x̂ of N(0, I)
    r = own.measurement.y.flatten(1).double() - (A @ (W @ z.T + MEAN[:, None]).T[..., None])[..., 0]
    e = (E @ A.mT @ r[..., None])[..., 0]  # what is encoded of the corrected picture is ẑ + W⁺Aᵀr
    lengths = [torch.ones(2, 1) * 0.5] * 2 if squared else [r.norm(dim=1, keepdim=True), e.norm(dim=1, keepdim=True)]
    of_r = -(W.T @ A.mT @ r[..., None])[..., 0] / lengths[0]
    of_e = -((E @ A.mT @ A @ W).mT @ e[..., None])[..., 0] / lengths[1]
    with torch.no_grad():
        guide = guidance.gradient(x_t, step, own)
    assert torch.allclose(guide.gradient.double(), step.signal * (0.7 * of_r + 0.3 * of_e), rtol=1e-4, atol=1e-5)
    assert torch.allclose(guide.loss.double(), r.norm(dim=1), rtol=1e-5)


def test_without_its_second_term_psld_is_dps():
    (one, other), x_t = (process(PSLD(0.4, 0.0)), process(DPS(0.4))), latents()
    with torch.no_grad():
        steps = [m.step(x_t, p.steps[3], p).x_prev for m, p in ((PSLD(0.4, 0.0), one), (DPS(0.4), other))]
    assert torch.equal(*steps)


def test_on_a_linear_autoencoder_the_gluing_term_sees_the_residual_alone():
    """So it can tell nothing that the measurement's own term does not: E(D(z)) = z leaves ‖W⁺ B r‖."""
    own = process()
    z = torch.linalg.lstsq(matrix(own) @ W, (own.measurement.y.flatten(1).double() - (matrix(own) @ MEAN))[..., None])
    met = z.solution[..., 0].float()  # y, as far as latents can say it
    image = own.decode(met)
    consistent = own.measurement.operator.forward(image)
    own.measurement = type(own.measurement)(consistent, own.measurement.operator)
    loss, total = PSLD(0.0, 1.0).objective(met, own)
    assert loss.abs().max() < 1e-5
    assert total.abs().max() < 1e-4


@pytest.mark.parametrize("projection", ["scaled_adjoint", "adjoint", "identity"])
def test_of_a_mask_every_way_back_is_the_inverse(projection):
    own = process()
    step = own.steps[-1]
    expected, found = (BackProjected(how).step(latents(), step, own).x_prev for how in ("pseudo_inverse", projection))
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_smaller_measurement_has_to_be_taken_back():
    own = process(task=tasks.SuperResolution(factor=2))
    with pytest.raises(UserError, match="take scaled_adjoint"):
        BackProjected("identity").step(latents(), own.steps[-1], own)
    assert BackProjected("scaled_adjoint").step(latents(), own.steps[-1], own).x_prev.isfinite().all()


def test_the_floor_of_an_autoencoder_is_what_it_makes_of_the_picture():
    floor = BackProjected()
    own = process(floor, tasks.Denoising(noise=tasks.GaussianNoise(0.0)))
    (record,) = Sampler(MODEL, own.task, floor, DDIM(), 8).run(own)
    assert torch.allclose(own.decode(record.x_prev), MODEL.decode(MODEL.encode(IMAGES)), atol=1e-5)
    assert (own.forwards, own.encoder_forwards) == (0, 1)


def test_the_radius_of_dsg_is_that_of_the_latents():
    guidance = DSG(guidance_rate=0.3)
    own = process(guidance)
    with torch.no_grad():
        record = guidance.step(latents(), own.steps[3], own)
    assert torch.allclose(record.shell_ratio, torch.ones(2), atol=1e-5)
    assert record.displacement.norm(dim=1)[0].item() == pytest.approx(6**0.5 * record.transition.std, rel=1e-5)


@pytest.mark.parametrize("variance", [0.0, 0.3, 1e6])
def test_stochastic_resampling_draws_from_the_product_of_both_gaussians(variance):
    step = process().steps[3]
    estimate, state = latents(), latents().flip(0)
    wide = step.prev.noise_variance
    mean = resampled(estimate, state, variance, step, torch.zeros(2, 6))
    spread = resampled(estimate, state, variance, step, torch.ones(2, 6)) - mean
    weights = (1.0 / wide, 1.0 / max(variance, 1e-12))  # precisions
    expected = (weights[0] * step.prev.signal * estimate + weights[1] * state) / sum(weights)
    assert torch.allclose(mean, expected, atol=1e-5)
    assert torch.allclose(spread, torch.full((2, 6), (1.0 / sum(weights)) ** 0.5), atol=1e-5)
    assert torch.equal(resampled(estimate, state, variance, process().steps[-1], latents()), estimate)


def test_hard_consistency_among_pictures_meets_y_where_it_is_seen_and_moves_nothing_else():
    own = process()
    seen = own.measurement.operator.parameters()["mask"].expand_as(IMAGES) > 0
    start, numbers = own.decode(latents()), own.task.noisy_numbers(own.measurement)[0].item()

    def residual(image):
        return own.task.loss(image, own.measurement) ** 2 / numbers

    found, loss = HardConsistency(3, numbers / 2, 0.0, "descent").solve(start, residual, 0.05)
    assert (found - own.measurement.y)[seen].abs().max() < 1e-3
    assert torch.equal(found[~seen], start[~seen])
    assert loss.max() < 1e-6


def test_hard_consistency_among_latents_is_least_squares():
    own, A = process(), matrix(process())
    y = own.measurement.y.flatten(1).double() - A @ MEAN
    expected = torch.linalg.lstsq(A @ W, y[..., None]).solution[..., 0]
    numbers = own.task.noisy_numbers(own.measurement)
    solver = HardConsistency(600, 0.05, 0.0)
    found, _ = solver.solve(latents(), lambda z: own.loss(z) ** 2 / numbers, 0.05)
    assert torch.allclose(found.double(), expected, atol=1e-3)


def test_a_sample_that_is_consistent_stops_and_waits_for_no_other():
    starts = torch.tensor([[0.0], [5.0]])
    both, losses = HardConsistency(3, 0.1).solve(starts, lambda u: (u**2).flatten(1).sum(1), tolerance=1.0)
    alone, _ = HardConsistency(3, 0.1).solve(starts[1:], lambda u: (u**2).flatten(1).sum(1), tolerance=1.0)
    assert both[0] == 0.0
    assert torch.equal(both[1:], alone)
    assert losses[0] == 0.0
    assert both[1] < 5.0


def test_resample_ends_at_a_latent_whose_picture_meets_y_as_far_as_its_noise():
    quiet = tasks.RandomInpainting(drop_min=0.95, drop_max=0.95, noise=tasks.GaussianNoise(0.1))  # three numbers
    solver = HardConsistency(600, 0.05)
    guidance = ReSample(4, pixel=solver, latent=solver)
    own = process(guidance, quiet)
    *_, record = Sampler(MODEL, quiet, guidance, DDIM(), 8).run(own)
    residual = own.task.residual(own.decode(record.x_prev), own.measurement)
    assert (residual < 1.05).all()


@pytest.mark.parametrize("t", [1, 4, 7])
def test_flow_dps_without_steps_is_euler_on_the_flow_with_its_mix_of_noise(t):
    own, x_t = process(FlowDPS(1.0, 0), kernel=Renoise("flow")), latents()
    twin = process(kernel=Renoise("flow"))
    step = own.steps[t]
    with torch.no_grad():
        record = FlowDPS(1.0, 0).step(x_t, step, own)
        z = twin.noise(x_t)
    time = flow_time(step.prev.log_snr)
    mixed = time**0.5 * record.prediction.epsilon + (1.0 - time) ** 0.5 * z
    flow = (1.0 - time) * record.prediction.clean_estimate + time * mixed
    assert torch.allclose(record.x_prev, flow * (step.prev.signal + step.prev.noise), atol=1e-5)


def test_flow_dps_moves_the_estimate_by_as_much_as_there_is_noise():
    guidance, x_t = FlowDPS(0.2, 3), latents()
    own = process(guidance)
    step = own.steps[3]
    with torch.no_grad():
        guide = guidance.gradient(x_t, step, own)
        reached = estimate = guide.prediction.clean_estimate
        for _ in range(3):
            reached = reached - 0.2 * own.clean_loss_gradient(reached)[1]
        moved = guidance.moved(guide, step, own).clean_estimate
    assert torch.allclose(moved, estimate + flow_time(step.log_snr) * (reached - estimate), atol=1e-5)


def test_flair_pulls_at_the_latent_by_its_calibration_or_by_a_constant_share():
    assert FLAIR(0.8).pull(0.3) == pytest.approx(0.8)
    calibrated = FLAIR(0.5, calibration=[0.2, 1.0, 0.0])
    assert calibrated.pull(0.5) == pytest.approx(1.0)  # 0.5·1/0.5
    assert calibrated.pull(1.0) == pytest.approx(0.1)
    assert calibrated.pull(0.01) == 0.0
    with pytest.raises(UserError, match="without a calibration"):
        FLAIR(1.5)


def test_flair_without_the_measurement_stands_where_the_network_says_and_with_it_at_the_noise_level():
    free = FLAIR(1.0, likelihood_steps=0, start="noise")
    *_, last = Sampler(MODEL, TASK, free, DDIM(), 8).run(process(free))
    assert torch.equal(last.x_prev, last.prediction.clean_estimate)
    five = tasks.RandomInpainting(drop_min=0.95, drop_max=0.95, noise=tasks.GaussianNoise(0.1))
    guided = FLAIR(0.5, likelihood_steps=200, step_size=1.0)
    own = process(guided, five)
    *_, last = Sampler(MODEL, five, guided, DDIM(), 8).run(own)
    assert (own.task.residual(own.decode(last.x_prev), own.measurement) < 1.05).all()


def test_a_chain_knows_how_steep_a_of_the_decoder_is():
    own = process()
    with torch.no_grad():
        found = steepness(own, latents())
    expected = torch.linalg.svdvals(matrix(own) @ W)[:, 0] ** 2
    assert (found <= expected * 1.0001).all()
    assert (found > 0.8 * expected).all()
    assert (own.decoder_forwards, own.decoder_backwards) == (11, 10)
    assert steepness(own, latents()) is not None
    assert own.decoder_forwards == 11  # once a batch


def test_a_chain_may_clamp_the_gradient_of_the_squared_loss():
    own, z = process(), latents()
    target = Target(z, radius=1.0, sigma=0.5)  # at its centre the prior does not pull
    with torch.no_grad():
        free, clamped = Slope(target, half=False).at(z, own), Slope(target, half=False, clip=1.0).at(z, own)
    assert torch.allclose(clamped, (free * 0.25).clamp(-1, 1) / 0.25, rtol=1e-5)
    assert (free.abs() > 4.1).any()


def test_resample_s_gradient_is_scaled_by_alpha_bar():
    guidance, plain = ReSample(begin=1.0, gradient_scale=0.5), ReSample(begin=1.0)
    own, twin = process(guidance), process(plain)
    step = own.steps[2]
    record, other = guidance.step(latents(), step, own), plain.step(latents(), step, twin)
    moved = 0.5 * step.alpha_bar * record.gradient
    torch.testing.assert_close(other.x_prev - record.x_prev, moved, rtol=1e-4, atol=1e-5)


def test_resample_goes_further_by_ddim_without_noise():
    own = process(ReSample(further_steps=2))
    state = latents()
    found = ReSample(further_steps=2)._estimate(state, state, own.steps[2], own)
    prediction = None
    for level in own.steps[3:5]:
        prediction = own.predict(state, level)
        state = DDIM(0.0).transition(state, prediction, level).mean
    assert prediction is not None
    torch.testing.assert_close(found, prediction.clean_estimate)


def test_flair_mixes_the_predicted_noise_and_steps_by_twice_its_weight():
    guidance = FLAIR(0.5, likelihood_steps=1, learning_rate=0.01, start="noise")
    own, twin = process(guidance), process(guidance)
    mu = predicted = latents()
    for record in Sampler(MODEL, TASK, guidance, DDIM(), 8).run(own, latents()):
        step, t = record.step, flow_time(record.step.log_snr)
        noise = (1 - t) * predicted + math.sqrt(1 - (1 - t) ** 2) * twin.noise(mu)
        torch.testing.assert_close(record.x_t, step.signal * mu + step.noise * noise, rtol=1e-4, atol=1e-5)
        pulled = mu - 0.5 * (mu - record.prediction.clean_estimate)
        expected = pulled - 2 * 0.5 * t * 0.01 * record.gradient
        torch.testing.assert_close(record.x_prev, expected, rtol=1e-4, atol=1e-5)
        mu, predicted = record.x_prev, record.prediction.epsilon
