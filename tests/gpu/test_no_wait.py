"""Inside a step a GPU is not waited for, as torch itself tells; the contract asks the same of a CPU's operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from dsg.data.examples import Example, Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.module.device import on_its_way
from dsg.module.trial import Trial
from dsg.sampling import Sampler
from tasks import GaussianNoise, RandomInpainting
from tests.contract.run import references
from tests.gpu.test_samples import METHODS
from tests.toy import Toy


@contextmanager
def nobody_waits() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def sampler_of(guidance, device) -> Sampler:
    return Sampler(Toy(16).to(device), RandomInpainting(noise=GaussianNoise(0.05)), guidance, steps=8)


@pytest.mark.parametrize("guidance", METHODS, ids=lambda method: type(method).__name__)
def test_after_the_first_step_nobody_waits_for_the_gpu(gpu, guidance):
    """In the first one what stays may be put there."""
    sampler = sampler_of(guidance, gpu)
    streams = NoiseStreams([SampleKey(0, name) for name in "ab"], gpu)
    trajectory = sampler.run(sampler.begin(Examples(references(2).to(gpu)), streams))
    next(trajectory)
    with nobody_waits():
        *_, record = trajectory
    assert record.x_prev.isfinite().all()


@pytest.mark.parametrize("guidance", METHODS, ids=lambda method: type(method).__name__)
def test_what_a_guided_step_takes_grows_with_the_batch(device, guidance):
    trial = Trial(sampler_of(guidance, device), Example(references(1)[0]), device)
    assert 0 < trial.bytes(1) <= trial.bytes(16) < trial.bytes(64)


def test_a_run_with_auto_tells_what_an_image_takes(evaluate_on, capsys):
    evaluate_on("--data.batch_size", "auto")
    assert "memory: activation memory per image " in capsys.readouterr().err


def test_what_is_brought_to_the_cpu_arrives_whole_though_nobody_waited(gpu):
    numbers = torch.arange(2**22, device=gpu)
    with nobody_waits():
        arrived = on_its_way(2 * numbers)  # whose memory others may have from here on
        numbers.add_(numbers)
    assert torch.equal(arrived(), 2 * torch.arange(2**22))
