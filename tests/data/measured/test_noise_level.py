"""The noise of measurements, by their finest details."""

import pytest
import torch

from dsg.data.examples import Examples
from dsg.data.held_out import HeldOutPortraits
from dsg.data.measured.noise_level import noise_level
from dsg.diffusion.noise import NoiseStreams, SampleKey
from tasks import Denoising, GaussianDeblurring, GaussianNoise


def measured(task):
    """y of the first held-out portrait."""
    data = HeldOutPortraits(limit=1)
    portrait = data.load(*data.image_ids())
    assert portrait.image is not None
    return task.measure(Examples(portrait.image[None]), NoiseStreams([SampleKey(0, "a")])).y[0]


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.2, 1.0])
def test_the_noise_of_a_blurred_picture_is_found(sigma):
    assert noise_level(measured(GaussianDeblurring(noise=GaussianNoise(sigma)))) == pytest.approx(sigma, rel=0.05)


def test_details_of_a_sharp_picture_make_the_estimate_larger_and_never_smaller():
    assert noise_level(measured(GaussianDeblurring(noise=GaussianNoise(0.0)))) < 0.002
    assert 0.05 < noise_level(measured(Denoising(GaussianNoise(0.05)))) < 0.08


def test_dropped_pixels_say_nothing():
    y = torch.randn(3, 33, 40, generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(40) % 8 < 6).float().expand(1, 33, 40)
    assert noise_level(torch.where(mask > 0, y, 1e3), mask) == pytest.approx(1, rel=0.1)
    assert noise_level(y, torch.zeros(1, 33, 40)) is None
    assert noise_level(y[:, :1]) is None
