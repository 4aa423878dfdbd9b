"""Methods of flows on N(0, I), whose x̂ = √ā x_t, against their boxes in a flow's own coordinates."""

from __future__ import annotations

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.continuous import flow_time
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import FlowChef, Guidance, PnPFlow
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from tasks import Task

GENERATOR = torch.Generator().manual_seed(0)
MODEL = GaussianMixture.standard_normal((3, 4, 4))
IMAGES, X_T = torch.randn(2, 2, 3, 4, 4, generator=GENERATOR)
TASK: Task = tasks.SuperResolution(factor=2)


def sampler(guidance: Guidance, task: Task = TASK) -> Sampler:
    return Sampler(MODEL, task, guidance, DDIM(0.0), 8)


def process(guidance: Guidance, task: Task = TASK) -> ReverseProcess:
    return sampler(guidance, task).begin(Examples(IMAGES), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))


@pytest.mark.parametrize("position", [0, 3, 7])
def test_flow_chef_steers_the_state_of_a_flow_and_keeps_its_velocity(position):
    guidance = FlowChef(0.7, 3)
    own = process(guidance)
    step = own.steps[position]
    with torch.no_grad():
        record = guidance.step(X_T, step, own)
        t, t_prev = flow_time(step.log_snr), flow_time(step.prev.log_snr)
        v = record.prediction.epsilon - record.prediction.clean_estimate
        u = X_T / (step.signal + step.noise)
        for _ in range(3):
            u = u - 0.7 * own.clean_loss_gradient(u - t * v)[1]
        u = u - (t - t_prev) * v
    assert torch.allclose(record.x_prev, u * (step.prev.signal + step.prev.noise), atol=1e-5)
    assert own.forwards == 1


def test_flow_chef_descends_the_mean_square_that_its_code_does():
    norm, square = FlowChef(1.0), FlowChef(500.0, residual="mean_square")
    own = process(norm)
    with torch.no_grad():
        by_norm, by_square = (guidance.gradient(X_T, own.steps[3], own) for guidance in (norm, square))
    factor = 2.0 * by_norm.loss / (3 * 2 * 2)
    assert torch.allclose(by_square.gradient, factor[:, None, None, None] * by_norm.gradient, rtol=1e-5)
    assert torch.equal(by_square.loss, by_norm.loss)


def test_the_first_step_of_adam_in_flow_chef_is_as_long_in_every_number():
    guidance = FlowChef(0.02, optimiser="adam")
    own = process(guidance)
    step = own.steps[3]
    with torch.no_grad():
        record = guidance.step(X_T, step, own)
    moved = record.shift / (step.prev.signal + step.prev.noise)
    assert torch.allclose(moved, -0.02 * record.gradient.sign(), rtol=1e-3)


def test_a_residual_of_another_size_names_the_option_that_asks_for_it():
    guidance = FlowChef(residual="identity")
    own = process(guidance, tasks.SuperResolution(factor=2))
    with pytest.raises(UserError, match=r"^residual: identity takes y for an image"):
        guidance.step(X_T, own.steps[3], own)


def test_flow_chef_of_a_projection_descends_that_of_the_residual():
    guidance = FlowChef(1.0, residual="adjoint")
    own = process(guidance)
    operator = own.measurement.operator
    with torch.no_grad():
        guide = guidance.gradient(X_T, own.steps[3], own)
        back = operator.adjoint(own.measurement.y - operator.forward(guide.prediction.clean_estimate))
        expected = -operator.adjoint(operator.forward(back)) / back.flatten(1).norm(dim=1)[:, None, None, None]
    assert torch.allclose(guide.gradient, expected, atol=1e-5)


def test_pnp_flow_goes_down_the_data_term_noises_and_averages_what_it_denoises():
    guidance = PnPFlow(1.2, 0.5, 2)
    own, twin = process(guidance), process(guidance)
    A, y = own.measurement.operator, own.measurement.y
    m = torch.zeros_like(X_T)
    for step, record in zip(own.steps, sampler(guidance).run(own, X_T), strict=True):
        m = m - 1.2 * flow_time(step.log_snr) ** 0.5 * A.adjoint(A.forward(m) - y) * 4  # 1/‖A‖²
        z = (twin.noise(m) + twin.noise(m)) / 2.0
        m = step.signal * (step.signal * m + step.noise * z)
        assert torch.allclose(record.x_prev, m, atol=1e-5)
    assert (own.forwards, own.backwards) == (16, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PnPFlow(2.0), r"step_size: PnP-Flow's must be in \(0, 2\), got 2.0"),
        (lambda: PnPFlow(draws=0), "draws: must be at least 1, got 0"),
        (lambda: FlowChef(-1.0), "step_size: must be at least 0, got -1.0"),
        (lambda: FlowChef(optimiser="sgd"), "optimiser: FlowChef's must be descent or adam, got 'sgd'"),
        (lambda: FlowChef(residual="mse"), "residual: FlowChef's must be measurement or mean_square or scaled_adjoint"),
        (lambda: sampler(FlowChef(residual="adjoint"), tasks.PhaseRetrieval()), "FlowChef with residual adjoint needs"),
    ],
)
def test_what_does_not_fit_is_said(make, message):
    with pytest.raises(UserError, match=message):
        make()
