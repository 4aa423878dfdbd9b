"""A method knows of a state what its model, task and noise tell; an order of images or pixels tells it nothing."""

import pytest
import torch

from dsg.guidance import DPS
from tasks import Denoising
from tests.contract.mirror import MirroredModel, MirroredStreams, flip, mirrored_task
from tests.contract.run import agree, begin, keys, references, sample

pytestmark = pytest.mark.contract

ORDER = [2, 0, 3, 1]


def test_images_in_another_order_have_the_same_samples_in_that_order(method, task, model, four):
    names = ["abcd"[i] for i in ORDER]
    other, _, process = sample(model, task, method.guidance, references(4)[ORDER], names)
    x, _, same = four
    assert agree(other, x[ORDER], process.predict.estimates, [estimate[ORDER] for estimate in same.predict.estimates])


def test_mirrored_images_under_mirrored_noise_have_mirrored_samples(method, task, model, four):
    """Model and task are mirrored too, so this asks nothing of them; where they commute with F, they are themselves."""
    streams = MirroredStreams(keys("abcd"))
    sampler, process = begin(MirroredModel(model), mirrored_task(task), method.guidance, flip(references(4)), streams)
    *_, last = sampler.run(process)
    x, _, plain = four
    assert agree(flip(last.x_prev), x, list(map(flip, process.predict.estimates)), plain.predict.estimates)


def test_the_mirror_shows_what_is_not_symmetric(model):
    """A model that is not mirrored itself gives other samples."""
    plain, _, _ = sample(model, Denoising(), DPS(0.5), references(1), "a")
    streams = MirroredStreams(keys("a"))
    sampler, process = begin(model, mirrored_task(Denoising()), DPS(0.5), flip(references(1)), streams)
    *_, last = sampler.run(process)
    assert not torch.allclose(flip(last.x_prev), plain, atol=1e-2)
