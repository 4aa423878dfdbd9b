"""A method knows of a state what its model, task and noise tell; an order of pixels tells it nothing."""

import pytest
import torch

from dsg.diffusion.noise import NoiseStreams
from tests.contract.design import AXES
from tests.contract.mirror import MirroredStreams, flip, mirrored_case
from tests.contract.run import agree, begin, keys, references, sample

pytestmark = pytest.mark.contract


def test_mirrored_images_under_mirrored_noise_have_mirrored_samples(case, four):
    """Model and task are mirrored too, so this asks nothing of them; where they commute with F, they are themselves."""
    mirrored = mirrored_case(case)
    if mirrored is None:
        pytest.skip("the combiner has networks, and nobody says how to mirror them")
    two = references(4)[:2]  # of one batch of four, whose images are what they are alone
    sampler, process = begin(mirrored, flip(two), MirroredStreams(keys("ab")))
    *_, last = sampler.run(process)
    assert agree(four[0][:2], flip(last.x_prev), case, two, "ab")


def test_the_mirror_shows_what_is_not_symmetric(model):
    """Without a mirror for the model, the samples are others."""
    names = list(AXES.model)
    of_model = next(name for name in names if AXES.model[name] is model)
    case = AXES.case((of_model, "denoising", "dps", "ddim", "conditional"))
    plain, _, _ = sample(case, references(1), "a")
    sampler, process = begin(case, flip(references(1)), NoiseStreams(keys("a")))
    *_, last = sampler.run(process)
    assert not torch.allclose(flip(last.x_prev), plain, atol=1e-2)
