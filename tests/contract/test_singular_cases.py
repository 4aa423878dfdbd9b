"""A singular case has a defined, finite answer: one number as state, no gradient, no measurement noise."""

import copy

import pytest
import torch

from dsg.diffusion.noise import NoiseStreams
from dsg.diffusion.spacing import Even
from dsg.guidance import LossGuidance, Unguided
from dsg.models.mixture import GaussianMixture
from tasks import Denoising, GaussianNoise, InverseProblem, Measurement, Task
from tasks.operators.mask import Identity
from tests.contract.run import begin, keys, references, sample
from tests.toy import Toy

pytestmark = pytest.mark.contract


class Indifferent(Task):
    """L = 1, whatever the estimate: its gradient is zero."""

    def measure(self, examples, streams):
        return Measurement(examples.images, Identity())

    def loss(self, clean_estimate, measurement):
        return 0.0 * clean_estimate.flatten(1).sum(1) + 1.0


@pytest.mark.parametrize("shape", [(1,), (1, 1, 1)], ids=str)
def test_a_state_of_one_number_gives_finite_samples(method, shape):
    model, reference = GaussianMixture.standard_normal(shape), torch.linspace(-1, 1, 3).reshape(-1, *shape)
    x, records, _ = sample(model, Denoising(), method.guidance, reference, "abc")
    assert x.shape == reference.shape
    assert x.isfinite().all()
    assert all(r.gradient is None or r.gradient.isfinite().all() for r in records)


def test_without_a_gradient_every_step_of_loss_guidance_is_the_unguided_one_bit_for_bit(method):
    if not isinstance(method.guidance, LossGuidance):
        pytest.skip("the method is no loss guidance")
    model, x_t = Toy(16), torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    pairs = [
        begin(model, Indifferent(), guidance, references(3), NoiseStreams(keys("abc")))
        for guidance in (method.guidance, Unguided())
    ]
    with torch.no_grad():
        for step in Even().steps(model.schedule, 10):
            guided, unguided = (s.guidance.step(x_t, step, process).x_prev for s, process in pairs)
            assert torch.equal(guided, unguided), step


def test_without_a_gradient_samples_are_finite(method):
    x, _, _ = sample(Toy(16), Indifferent(), method.guidance, references(2), "ab")
    assert x.isfinite().all()


def test_without_measurement_noise_samples_are_finite(method, task):
    if not (isinstance(task, InverseProblem) and isinstance(task.noise, GaussianNoise)):
        pytest.skip("the task has no Gaussian noise to leave out")
    noiseless = copy.copy(task)
    noiseless.noise = GaussianNoise(0.0)
    x, records, _ = sample(Toy(16), noiseless, method.guidance, references(2), "ab")
    assert x.isfinite().all()
    assert all(r.gradient is None or r.gradient.isfinite().all() for r in records)
