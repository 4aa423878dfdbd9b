"""What every case must do: a method with a task, a model, a kernel and a combiner. More of it is in this folder.

What a part keeps whatever is beside it is in test_parts.py, for each part once.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dsg.combiners import Conditional
from dsg.guidance import Unguided
from tests.contract.cases import PLAIN
from tests.contract.run import agree, declared_evaluations, guided_by, references, sample

pytestmark = pytest.mark.contract


def test_an_image_in_a_batch_of_four_is_what_it_is_alone(case, four, last_alone):
    (together, _, batch), (alone, _, process) = four, last_alone
    assert agree(alone, together[3:], case, references(4)[3:], "d")
    assert (process.forwards, process.backwards) == (batch.forwards, batch.backwards)


def test_the_network_is_evaluated_as_often_as_method_kernel_and_combiner_declare(case, four):
    forwards, backwards = declared_evaluations(case)
    assert four[2].forwards in forwards
    assert four[2].backwards in backwards


def test_zero_strength_is_the_unguided_sampler(case, unguided_samples):
    if case.method.zero is None:
        pytest.skip(case.method.without_zero)
    zero, _, process = sample(guided_by(case, case.method.zero), references(4), "abcd")
    assert torch.equal(zero, unguided_samples.of(case))
    assert process.backwards == 0


def test_guidance_lowers_the_loss(case, four, unguided_samples):
    """Beside the plain combiner: another has an aim of its own, which may raise the loss by more."""
    if isinstance(case.method.guidance, Unguided):
        pytest.skip("it does not guide")
    guided, _, process = four
    plain = replace(case, combining=PLAIN)
    if not isinstance(process.combiner, Conditional):
        guided, _, _ = sample(plain, references(4), "abcd")

    def loss(x: torch.Tensor) -> float:
        return case.task.loss(case.model.decode(x), process.measurement).mean().item()

    assert loss(guided) < loss(unguided_samples.of(plain))


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
