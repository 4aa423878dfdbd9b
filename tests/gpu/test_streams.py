"""What is drawn for a GPU is what is drawn for a CPU, to the last bit."""

from __future__ import annotations

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.noise import EnsembleStreams, NoiseStreams, Purpose, SampleKey
from tests.contract.run import references

KEYS = [SampleKey(0, name, sample) for name in "abc" for sample in (0, 1)]
DRAWN = [
    tasks.RandomInpainting(noise=tasks.GaussianNoise(0.05)),
    tasks.BoxInpainting(size=4, size_max=8, margin=0),
    tasks.SuperResolution(2),
    tasks.GaussianDeblurring(kernel_size=5),
    tasks.MotionDeblurring(kernel_size=5),
    tasks.Colourisation(),
    tasks.Denoising(tasks.PoissonNoise()),
    tasks.JPEG(50),
    tasks.PhaseRetrieval(),
    tasks.HighDynamicRange(),
]


def on_both(device) -> tuple[NoiseStreams, NoiseStreams]:
    return NoiseStreams(KEYS, device), NoiseStreams(KEYS)


@pytest.mark.parametrize("purpose", Purpose)
def test_normal_numbers_are_those_of_a_cpu(device, purpose):
    there, here = on_both(device)
    for shape in ((3, 16, 16), (7,)):  # every draw goes on where the last one ended
        drawn = there.normal(purpose, shape)
        assert drawn.device.type == device.type
        assert torch.equal(drawn.cpu(), here.normal(purpose, shape))


def test_a_draw_that_is_still_on_its_way_is_not_overwritten_by_the_next(device):
    """They are copied from pinned memory while the host goes on drawing."""
    there, here = on_both(device)
    drawn = [there.normal(Purpose.REVERSE, (3, 64, 64)) for _ in range(40)]
    for values in drawn:
        assert torch.equal(values.cpu(), here.normal(Purpose.REVERSE, (3, 64, 64)))


def test_an_ensembles_numbers_are_those_of_a_cpu(device):
    key = SampleKey(0, "ensemble")
    there, here = EnsembleStreams(key, 1000, device), EnsembleStreams(key, 1000)
    assert torch.equal(there.normal(Purpose.REVERSE, (2,)).cpu(), here.normal(Purpose.REVERSE, (2,)))


@pytest.mark.parametrize("task", DRAWN, ids=lambda task: type(task).__name__)
def test_a_task_draws_the_same_operator_and_the_same_noise(device, task):
    images = references(len(KEYS))
    there, here = on_both(device)
    measured, expected = task.measure(Examples(images.to(device)), there), task.measure(Examples(images), here)
    assert measured.y.device.type == device.type
    for name, value in expected.operator.parameters().items():
        assert torch.equal(measured.operator.parameters()[name].cpu(), value), name
    torch.testing.assert_close(measured.y.cpu(), expected.y, rtol=1e-5, atol=1e-5)  # A x is rounded in another order
    for purpose in Purpose:  # as much was drawn, so that what is drawn next is the same
        assert torch.equal(there.normal(purpose, (4,)).cpu(), here.normal(purpose, (4,))), purpose
