"""What every case must do: a method with a task, a model, a kernel and a combiner. More of it is in this folder."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dsg.guidance import Unguided
from tests.contract.axes import TASKS
from tests.contract.run import agree, declared_evaluations, guided_by, references, sample

pytestmark = pytest.mark.contract


def test_an_image_in_a_batch_of_four_is_what_it_is_alone(case, four, last_alone):
    together, _, batch = four
    for i, (alone, _, process) in ((0, sample(case, references(4)[:1], "a")), (3, last_alone)):
        assert agree(alone, together[i : i + 1], case, references(4)[i : i + 1], "abcd"[i]), i
        assert (process.forwards, process.backwards) == (batch.forwards, batch.backwards)


def test_the_network_is_evaluated_as_often_as_method_kernel_and_combiner_declare(case, four):
    forwards, backwards = declared_evaluations(case)
    assert four[2].forwards in forwards
    assert four[2].backwards in backwards


def test_zero_strength_is_the_unguided_sampler(case, unguided_four):
    if case.method.zero is None:
        pytest.skip(case.method.without_zero)
    zero, _, process = sample(guided_by(case, case.method.zero), references(4), "abcd")
    assert torch.equal(zero, unguided_four[0])
    assert process.backwards == 0


def test_guidance_lowers_the_loss(case, four, unguided_four):
    if isinstance(case.method.guidance, Unguided):
        pytest.skip("it does not guide")
    (guided, _, process), (free, _, _) = four, unguided_four

    def loss(x: torch.Tensor) -> float:
        return case.task.loss(case.model.decode(x), process.measurement).mean().item()

    assert loss(guided) < loss(free)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(case, four):
    again, _, _ = sample(case, references(4), "abcd")
    assert torch.equal(four[0], again)
    other, _, _ = sample(case, references(4)[:1], "a", seed=1)
    assert not torch.allclose(four[0][:1], other)


def test_constant_images_give_finite_samples(case):
    x, records, _ = sample(case, torch.zeros(2, 3, 16, 16), "ab")
    assert x.isfinite().all()
    assert all(r.gradient is None or r.gradient.isfinite().all() for r in records)


def test_no_step_leaves_a_graph_and_no_weight_requires_a_gradient(case, four):
    _, records, process = four
    for record in records:
        held = [
            record.x_prev,
            record.prediction.clean_estimate,
            record.prediction.epsilon,
            record.loss,
            record.gradient,
        ]
        assert not any(tensor.requires_grad for tensor in held if tensor is not None)
    networks = (case.model, *process.combiner.networks(), *case.method.guidance.networks())
    assert not any(p.requires_grad for network in networks for p in network.parameters())


def test_bf16_autocast_reaches_the_network_alone_and_agrees_with_float32_nearly(case):
    tasks = (TASKS["super-resolution"], TASKS["super-resolution without noise"], case.task)
    case = next(c for c in (replace(case, task=task) for task in tasks) if c.refusal() is None)
    exact, _, _ = sample(case, references(2), "ab")
    with torch.autocast("cpu", torch.bfloat16):
        rounded, records, process = sample(case, references(2), "ab")
    assert (rounded - exact).norm() / exact.norm() < case.method.rounding
    assert not torch.equal(rounded, exact)
    assert process.measurement.y.dtype == records[0].x_prev.dtype == torch.float32
    assert all(r.gradient is None or r.gradient.dtype == torch.float32 for r in records)


def test_a_broken_image_breaks_no_neighbour(case, last_alone):
    """One image is NaN from the start; the other is what it is alone."""
    images = references(4)[2:]
    images[0] = torch.nan
    together, _, _ = sample(case, images, "cd")
    assert agree(last_alone[0], together[1:], case, images[1:], "d")
