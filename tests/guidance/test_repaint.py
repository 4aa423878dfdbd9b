"""RePaint on N(0, I), whose x̂ = √ā x_t: what is seen is y's, and the way back up is the published one."""

from __future__ import annotations

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDPM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import RePaint
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from tasks import GaussianNoise, Task

MODEL = GaussianMixture.standard_normal((3, 8, 8))
CLEAN = GaussianNoise(0.0)
HALF = tasks.RandomInpainting(noise=CLEAN)


def sampler(guidance: RePaint, task: Task = HALF, steps: int = 8) -> Sampler:
    return Sampler(MODEL, task, guidance, DDPM(), steps)


def begun(guidance: RePaint, task: Task = HALF, steps: int = 8, samples: int = 2) -> ReverseProcess:
    images = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).expand(samples, -1, -1, -1)
    keys = [SampleKey(0, str(number)) for number in range(samples)]
    return sampler(guidance, task, steps).begin(Examples(images), NoiseStreams(keys))


def published_levels(steps: int, length: int, resamplings: int) -> list[int]:
    """The states that the authors' schedule goes through, by how many steps there are still to go."""
    left = dict.fromkeys(range(1, steps - length + 1, length), resamplings - 1)
    levels, at = [steps], steps
    while at > 0:
        at -= 1
        levels.append(at)
        if left.get(at, 0) > 0:
            left[at] -= 1
            for _ in range(length):
                at += 1
                levels.append(at)
    return levels


@pytest.mark.parametrize(
    ("steps", "length", "resamplings"), [(250, 10, 10), (25, 4, 3), (9, 4, 2), (7, 1, 3), (5, 9, 2)]
)
def test_it_goes_down_and_back_up_through_the_published_levels(steps, length, resamplings):
    levels = [steps]
    for part, times in RePaint(resamplings, length).jumps(range(steps)):  # pyright: ignore[reportArgumentType]
        for again in range(times):
            levels += [steps - 1 - position for position in part]
            levels += [steps - position for position in reversed(part)] if again < times - 1 else []
    assert levels == published_levels(steps, length, resamplings)


def test_published_jumps_take_2410_evaluations_of_250_steps():
    parts = RePaint().jumps(range(250))  # pyright: ignore[reportArgumentType]
    assert sum(len(part) * times for part, times in parts) == 2410


def test_the_seen_pixels_of_each_state_have_the_law_of_the_noised_measurement():
    own = begun(RePaint(1), samples=4000)
    step = own.steps[3]
    with torch.no_grad():
        record = sampler(RePaint(1)).guidance.step(torch.zeros(4000, 3, 8, 8), step, own)
    mask = own.measurement.operator.parameters()["mask"].bool().expand_as(record.x_prev)
    seen = (record.x_prev - step.prev.signal * own.measurement.y)[mask] / step.prev.noise
    assert abs(seen.mean()) < 3 / len(seen) ** 0.5
    assert abs(seen.var() - 1) < 3 * (2 / len(seen)) ** 0.5


@pytest.mark.parametrize("task", [HALF, tasks.SuperResolution(factor=2, noise=CLEAN)])
def test_a_sample_measures_as_was_measured(task):
    guidance = RePaint(2, 3)
    own = begun(guidance, task)
    with torch.no_grad():
        *_, last = sampler(guidance, task).run(own)
    assert torch.allclose(own.measurement.operator.forward(last.x_prev), own.measurement.y, atol=1e-5)


def test_a_record_a_step_is_told_and_of_steps_that_are_taken_again_the_last():
    guidance = RePaint(3, 2)
    own = begun(guidance)
    with torch.no_grad():
        records = list(sampler(guidance).run(own))
    assert [record.step.position for record in records] == list(range(8))
    assert all(torch.equal(one.x_prev, other.x_t) for one, other in zip(records[1:7:2], records[2:7:2], strict=True))
    assert own.forwards == 1 + 6 * 3 + 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RePaint(0), "resamplings: must be at least 1, got 0"),
        (lambda: RePaint(jump_length=0), "jump_length: must be at least 1, got 0"),
        (
            lambda: begun(RePaint(), tasks.PhaseRetrieval()),
            "RePaint needs a linear operator, and PhaseRetrieval's is none",
        ),
    ],
)
def test_what_repaint_cannot_do_is_a_line(make, said):
    with pytest.raises(UserError, match=said):
        make()
