"""What a guided step takes of memory can be tried of every method, and leaves nothing behind."""

from __future__ import annotations

import pytest
import torch

from dsg.data.examples import Example
from dsg.module.trial import Trial
from tests.contract.run import examples, references

pytestmark = pytest.mark.contract


def test_a_trial_of_two_images_takes_more_memory_than_one_and_the_network_s_weights_need_no_gradient(part):
    columns = {name: values[0] for name, values in examples(part, references(1), "a").columns.items()}
    trial = Trial(part.sampler(), Example(references(1)[0], columns), torch.device("cpu"))
    one, two = trial.bytes(1), trial.bytes(2)
    image = 4 * references(1).numel()
    assert one > image
    assert two > one
    assert not any(weight.requires_grad for weight in part.model.parameters())
