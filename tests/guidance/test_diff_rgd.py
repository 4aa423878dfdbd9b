"""DiffRGD on N(0, I), whose x̂ = √ā x_t, sample by sample against its box."""

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM, Heun
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DiffRGD
from dsg.guidance.diff_rgd import tangent
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler

GENERATOR = torch.Generator().manual_seed(0)
IMAGES, X_T = torch.randn(2, 2, 3, 4, 4, generator=GENERATOR)


def sampler(guidance, kernel=None):
    model = GaussianMixture.standard_normal((3, 4, 4))
    return Sampler(model, tasks.SuperResolution(factor=2), guidance, kernel or DDIM(1.0), 8)


def process(guidance):
    return sampler(guidance).begin(Examples(IMAGES), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))


def test_a_step_slides_on_the_sphere_that_it_was_drawn_on():
    guidance = DiffRGD(0.8, 3)
    own, twin = process(guidance), process(guidance)
    step = own.steps[3]
    with torch.no_grad():
        record = guidance.step(X_T, step, own)
    operator, y, z = own.measurement.operator, own.measurement.y, twin.noise(X_T)
    for i in range(2):
        mean, radius = record.transition.mean[i], (record.transition.std * z[i]).norm()
        x = mean + record.transition.std * z[i]
        for _ in range(3):
            residual = operator.forward(step.prev.signal * x[None]) - y[i : i + 1]
            g = (step.prev.signal * operator.adjoint(residual) / residual.norm())[0]  # type: ignore[attr-defined]
            u = x - mean
            u = u - 0.8 * (g - (g * u).sum() / (u * u).sum() * u)
            x = mean + radius * u / u.norm()
        assert torch.allclose(record.x_prev[i], x, atol=1e-5)
    assert (own.forwards, own.backwards) == (4, 3)
    assert torch.allclose(record.displacement.flatten(1).norm(dim=1), record.transition.std * z.flatten(1).norm(dim=1))


def test_steps_between_the_intervals_and_the_last_one_are_ordinary():
    guidance = DiffRGD(0.8, interval=3)
    own = process(guidance)
    assert [guidance.is_guided(step) for step in own.steps] == [True, False, False, True, False, False, True, False]
    assert not DiffRGD(interval=7).is_guided(own.steps[-1])


def test_a_tangent_has_nothing_of_the_normal_and_all_of_the_rest():
    normal = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    assert torch.equal(tangent(torch.tensor([[3.0, 4.0], [3.0, 4.0]]), normal), torch.tensor([[0.0, 4.0], [3.0, 4.0]]))


@pytest.mark.parametrize("kernel", [DDIM(0.0), Heun()])
def test_a_kernel_without_noise_has_no_sphere(kernel):
    with pytest.raises(UserError, match=r"DiffRGD moves on the sphere of a step's noise, and .* has none; set model"):
        sampler(DiffRGD(), kernel)
