"""A singular case has a defined, finite answer: one number as state, no gradient, no measurement noise."""

import copy
from dataclasses import replace

import pytest
import torch

from dsg.diffusion.noise import NoiseStreams
from dsg.guidance import LossGuidance
from dsg.models.mixture import GaussianMixture
from tasks import Denoising, GaussianNoise, InverseProblem, Measurement, Task
from tasks.operators.mask import Identity
from tests.contract.cases import PLAIN
from tests.contract.design import Case
from tests.contract.run import begin, keys, references, sample, unguided

pytestmark = pytest.mark.contract


class Indifferent(Task):
    """L = 1, whatever the estimate: its gradient is zero."""

    def measure(self, examples, streams):
        return Measurement(examples.images, Identity())

    def loss(self, clean_estimate, measurement):
        return 0.0 * clean_estimate.flatten(1).sum(1) + 1.0


def test_a_state_of_one_number_gives_finite_samples(pair):
    numbers_stay_finite(pair, (1,))


def test_a_picture_of_one_number_gives_finite_samples(part):
    if part.combining is not PLAIN or not isinstance(part.task, InverseProblem):
        pytest.skip("the part hears a class, or sees a picture")
    numbers_stay_finite(part, (1, 1, 1))


def numbers_stay_finite(pair: Case, shape: tuple[int, ...]) -> None:
    if pair.solver.kernel.reads_variance:
        pytest.skip("the model of one number learns no variance")
    reference = torch.linspace(-1, 1, 3).reshape(-1, *shape)
    noise = pair.task.noise  # that of a task which suits the method under this kernel
    case = replace(pair, model=GaussianMixture.standard_normal(shape), task=Denoising(noise=noise))
    x, records, _ = sample(case, reference, "abc")
    assert x.shape == reference.shape
    assert x.isfinite().all()
    assert all(r.gradient is None or r.gradient.isfinite().all() for r in records)


def test_without_a_gradient_every_step_of_loss_guidance_is_the_unguided_one_bit_for_bit(pair):
    if not isinstance(pair.method.guidance, LossGuidance):
        pytest.skip("the method is no loss guidance")
    indifferent = replace(pair, task=Indifferent())
    if indifferent.refusal() is not None:
        pytest.skip("the method asks more of a task than a loss")
    x_t = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    pairs = [begin(case, references(3), NoiseStreams(keys("abc"))) for case in (indifferent, unguided(indifferent))]
    with torch.no_grad():
        for step in pairs[0][0].levels:
            guided, free = (sampler.guidance.step(x_t, step, process).x_prev for sampler, process in pairs)
            assert torch.equal(guided, free), step


def test_without_a_gradient_samples_are_finite(pair):
    if isinstance(pair.method.guidance, LossGuidance):
        pytest.skip("each of its steps is the unguided one")
    indifferent = replace(pair, task=Indifferent())
    if indifferent.refusal() is not None:
        pytest.skip("the method asks more of a task than a loss")
    x, _, _ = sample(indifferent, references(2), "ab")
    assert x.isfinite().all()


def test_without_measurement_noise_samples_are_finite(case):
    if not (isinstance(case.task, InverseProblem) and isinstance(case.task.noise, GaussianNoise)):
        pytest.skip("the task has no Gaussian noise to leave out")
    noiseless = copy.copy(case.task)
    noiseless.noise = GaussianNoise(0.0)
    x, records, _ = sample(replace(case, task=noiseless), references(2), "ab")
    assert x.isfinite().all()
    assert all(r.gradient is None or r.gradient.isfinite().all() for r in records)
