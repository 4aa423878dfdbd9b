"""‖y − A x̂‖/(σ_y √m): 1 where what is left is the noise."""

from __future__ import annotations

import csv

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from tasks import (
    BoxInpainting,
    Colourisation,
    Denoising,
    GaussianDeblurring,
    GaussianNoise,
    Generation,
    PhaseRetrieval,
    PoissonNoise,
    RandomInpainting,
    SuperResolution,
)
from tasks.base import Measurement
from tasks.operators.mask import Identity, Mask

NOISE = GaussianNoise(0.1)
TASKS = [
    RandomInpainting(0.3, 0.9, NOISE), RandomInpainting(0.9, 0.9, NOISE, noise_on_dropped=True),
    BoxInpainting(24, margin=2, noise=NOISE), Denoising(NOISE), SuperResolution(4, NOISE), Colourisation(noise=NOISE),
    GaussianDeblurring(9, 1.0, NOISE), PhaseRetrieval(noise=NOISE),
]  # fmt: skip


def measured(task, size: int = 32):
    images = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return images, task.measure(Examples(images), NoiseStreams([SampleKey(0, str(i)) for i in range(4)]))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_the_image_itself_has_the_residual_1(task):
    images, measurement = measured(task)
    residual = task.residual(images, measurement)
    m = task.noisy_numbers(measurement)
    assert residual.shape == m.shape == (4,)
    assert ((residual - 1).abs() < 4 / (2 * m).sqrt()).all()


def test_it_is_the_norm_of_what_is_left_by_the_noises_own():
    """Two of four numbers are measured, each 0.3 off: √(2 · 0.09)/(0.1 √2) = 3."""
    mask = torch.tensor([1.0, 0.0, 0.0, 1.0]).reshape(1, 1, 2, 2)
    estimate = torch.zeros(1, 1, 2, 2)
    measurement = Measurement(mask * 0.3, Mask(mask))
    assert RandomInpainting(noise=NOISE).residual(estimate, measurement).tolist() == pytest.approx([3.0])


@pytest.mark.parametrize("noise_on_dropped", [False, True])
def test_the_noise_counts_where_it_is(noise_on_dropped):
    task = RandomInpainting(0.5, 0.5, NOISE, noise_on_dropped)
    _, measurement = measured(task)
    assert task.noisy_numbers(measurement).tolist() == [3 * 32 * 32 * (1.0 if noise_on_dropped else 0.5)] * 4


def test_an_estimate_that_has_fitted_the_noise_has_less_loss_and_a_residual_far_from_1():
    """As where DPS's loss is 1.7, the noise's norm 3.9 and DSG's loss 4.2."""
    task = RandomInpainting(0.5, 0.5, NOISE)
    images, measurement = measured(task)
    noise = measurement.y - measurement.operator.forward(images)
    fitted, near = images + 0.6 * noise, images + 0.05 * torch.randn_like(images)
    assert (task.loss(fitted, measurement) < task.loss(near, measurement)).all()
    far, close = ((task.residual(x, measurement) - 1).abs() for x in (fitted, near))
    assert (far > close).all()


@pytest.mark.parametrize("task", [Denoising(GaussianNoise(0.0)), Denoising(PoissonNoise()), Generation()])
def test_without_gaussian_noise_there_is_none(task):
    images, measurement = measured(task)
    assert task.residual(images, measurement) is None


def test_a_run_has_it_beside_the_loss(evaluate, tmp_path):
    noise = ["--model.task.noise", "tasks.GaussianNoise", "--model.task.noise.noise_sigma"]
    assert evaluate(*noise, "0.2", "--data.limit", 2) == 0
    with (tmp_path / "run" / "per_image.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0])[2:4] == ["loss", "residual"]
    assert all(float(row["residual"]) > 0 for row in rows)
    assert evaluate(*noise, "0.0", "--data.limit", 2, into="noiseless") == 0
    assert "residual" not in (tmp_path / "noiseless" / "per_image.csv").read_text()


def test_what_a_step_asks_of_a_measurement_lies_where_that_lies():
    y = torch.empty(2, 3, 4, 4, device="meta")
    measurement = Measurement(y, Identity())
    assert Denoising().noisy_numbers(measurement).device == y.device
    assert Identity().singular_values(y).device == y.device
    assert torch.equal(Identity().singular_values(torch.zeros(2, 3, 4, 4)), torch.ones(1, 1))
