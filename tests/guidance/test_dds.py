"""DDS on N(0, I), whose x̂ = √ā x_t, against proximal points that are solved otherwise."""

from __future__ import annotations

import itertools

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DDNM, DDS
from dsg.guidance.linear import linear_operator
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from tasks import GaussianNoise, Task
from tasks.base import Measurement

MODEL = GaussianMixture.standard_normal((3, 8, 8))
IMAGES, X_T = torch.randn(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
CLEAN = GaussianNoise(0.0)
BLUR = tasks.GaussianDeblurring(kernel_size=5, sigma=1.0)


def process(task: Task) -> ReverseProcess:
    sampler = Sampler(MODEL, task, DDS(), DDIM(1.0), 8)
    return sampler.begin(Examples(IMAGES), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))


def guided(guidance: DDS | DDNM, own: ReverseProcess) -> torch.Tensor:
    step = own.steps[4]
    with torch.no_grad():
        return guidance.guide(own.predict(X_T, step), X_T, step, own).clean_estimate


@pytest.mark.parametrize("weight", [0.2, 5.0, 80.0])
def test_many_iterations_reach_the_proximal_point(weight):
    own = process(BLUR)
    operator, estimate = linear_operator(own), own.predict(X_T, own.steps[4]).clean_estimate
    residual = own.measurement.y - operator.forward(estimate)
    expected = estimate + operator.adjoint(operator.regularised_inverse(residual, scale=1.0, shift=1.0 / weight))
    assert torch.allclose(guided(DDS(60, weight), own), expected, atol=1e-3)


@pytest.mark.parametrize("task", [tasks.RandomInpainting(noise=CLEAN), tasks.Colourisation(noise=CLEAN)])
def test_where_all_singular_values_are_equal_one_iteration_is_ddnm(task):
    own = process(task)
    assert torch.allclose(guided(DDS(1, None), own), guided(DDNM(), own), atol=1e-5)


def test_one_iteration_is_the_longest_useful_step_down_the_data_term():
    own = process(BLUR)
    operator, estimate = linear_operator(own), own.predict(X_T, own.steps[4]).clean_estimate
    slope = operator.adjoint(own.measurement.y - operator.forward(estimate))
    length = slope.flatten(1).square().sum(1) / operator.forward(slope).flatten(1).square().sum(1)
    expected = estimate + length[:, None, None, None] * slope
    assert torch.allclose(guided(DDS(1, None), own), expected, atol=1e-5)


def test_each_iteration_brings_the_residual_down_and_none_changes_nothing():
    own = process(BLUR)
    operator, prediction = linear_operator(own), own.predict(X_T, own.steps[4])
    left = [(own.measurement.y - operator.forward(guided(DDS(m, None), own))).norm() for m in range(6)]
    assert all(after < before for before, after in itertools.pairwise(left))
    assert torch.equal(guided(DDS(0), own), prediction.clean_estimate)


def test_a_measurement_that_is_met_moves_nothing():
    own = process(BLUR)
    operator, estimate = linear_operator(own), own.predict(X_T, own.steps[4]).clean_estimate
    own.measurement = Measurement(operator.forward(estimate), operator)
    assert torch.equal(guided(DDS(5, None), own), estimate)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DDS(-1), "iterations: must be at least 0, got -1"),
        (lambda: DDS(weight=0.0), "weight: DDS's γ must be above 0, or null, got 0.0"),
        (lambda: process(tasks.PhaseRetrieval()), "DDS needs a linear operator, and PhaseRetrieval's is none"),
    ],
)
def test_what_dds_cannot_do_is_a_line(make, said):
    with pytest.raises(UserError, match=said):
        make()
