"""What a method, a kernel, a combiner and a task keep whatever is beside them: each once, with what is plain.

`make test-full` asks it of every case.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.contract.axes import TASKS
from tests.contract.run import agree, references, sample

pytestmark = pytest.mark.contract

ORDER = [2, 0, 3, 1]


def test_images_in_another_order_have_the_same_samples_in_that_order(part):
    reference, names = references(4)[ORDER], ["abcd"[i] for i in ORDER]
    (samples, _, _), (other, _, _) = sample(part, references(4), "abcd"), sample(part, reference, names)
    assert agree(other, samples[ORDER], part, reference, names)


def test_a_broken_image_breaks_no_neighbour(part):
    """One image is NaN from the start; the other is what it is alone."""
    images = references(2)
    images[0] = torch.nan
    (together, _, _), (alone, _, _) = sample(part, images, "ab"), sample(part, images[1:], "b")
    assert agree(alone, together[1:], part, images[1:], "b")


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(part):
    first, again, other = (sample(part, references(2), "ab", seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_bf16_autocast_reaches_the_network_alone_and_agrees_with_float32_nearly(part):
    tasks = (TASKS["super-resolution"], TASKS["box inpainting without noise"], part.task)
    case = next(c for c in (replace(part, task=task) for task in tasks) if c.refusal() is None)
    exact, _, _ = sample(case, references(2), "ab")
    with torch.autocast("cpu", torch.bfloat16):
        rounded, records, process = sample(case, references(2), "ab")
    assert (rounded - exact).norm() / exact.norm() < case.method.rounding
    assert not torch.equal(rounded, exact)
    assert process.measurement.y.dtype == records[0].x_prev.dtype == torch.float32
    assert all(r.gradient is None or r.gradient.dtype == torch.float32 for r in records)
