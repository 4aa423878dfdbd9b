"""A run of any length takes the memory of a short one, and little time besides the network's."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from dsg.data.base import EvaluationData
from dsg.data.examples import Example, Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance import DSG
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler
from tasks import RandomInpainting
from tests.toy import Toy

STATM = Path("/proc/self/statm")
MIB = 2**20
needs_statm = pytest.mark.skipif(not STATM.exists(), reason="the resident set is read from /proc")
resident: list[int] = []  # bytes, each time an image is read


class SmallImages(EvaluationData):
    """Grey squares of 16 pixels, as many as are asked for; notes the memory whenever it is asked for one."""

    image_shape = (3, 16, 16)

    def __init__(self, limit: int, batch_size: int = 16) -> None:
        super().__init__(limit, batch_size=batch_size)
        self.count = limit

    def image_ids(self) -> Sequence[str]:
        return [f"{i:05d}" for i in range(self.count)]

    def load(self, image_id: str) -> Example:
        resident.append(int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
        return Example(torch.full(self.image_shape, int(image_id) % 200 / 100 - 1))


class SmallMixture(GaussianMixture):
    """64 Gaussians over such squares, each with variances of its own."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        means = torch.rand(64, 3, 16, 16, generator=generator) * 2 - 1
        super().__init__([1.0] * 64, means, 0.1 + torch.rand(64, 768, generator=generator))


@pytest.fixture
def growth(evaluate, tmp_path, request) -> Callable[..., int]:
    """Evaluate some small images: by how many bytes memory grew after the first of them."""

    def run(images: int, first: int, *options: str | int) -> int:
        resident.clear()
        data = ("--data", f"{__name__}.SmallImages", "--data.limit", images, "--data.batch_size", 16)
        assert evaluate("--quality.lpips", "[]", *data, *options) == 0
        assert len(resident) == images
        return max(resident[first:]) - resident[first]

    return run


@needs_statm
def test_memory_does_not_grow_with_the_number_of_images(growth):
    assert growth(192, 96, "--model.steps", 2) < 20 * MIB


@needs_statm
@pytest.mark.slow
def test_two_thousand_images_of_a_mixture_take_the_memory_of_two_hundred(growth, tmp_path):
    mixture = ("--model.score_model", f"{__name__}.SmallMixture")
    assert growth(2000, 200, *mixture, "--model.steps", 10) < 50 * MIB
    timing = json.loads((tmp_path / "run" / "metrics.json").read_text())["timing"]
    print(f"outside the network: {timing['other_share']:.1%}")


def test_of_all_steps_only_the_last_is_kept():
    sampler = Sampler(Toy(), RandomInpainting(), DSG(guidance_rate=0.2), steps=20)
    process = sampler.begin(Examples(torch.zeros(1, 3, 16, 16)), NoiseStreams([SampleKey(0, "a")]))
    assert max(alive(sampler, process)) <= 2  # one, and the state that the next step comes from


def alive(sampler: Sampler, process) -> Iterator[int]:
    """After each step, how many of the states that there were still are."""
    states = []
    for record in sampler.run(process):
        states.append(weakref.ref(record.x_prev))
        yield sum(state() is not None for state in states)
