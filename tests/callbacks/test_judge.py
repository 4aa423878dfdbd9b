"""Which classes a judge is asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import tasks
from callbacks.judge import classes_of, task_of_classes
from callbacks.twin import _classes
from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from tests.toy import ToyClassifier

ASKED = tasks.ClassLabel(ToyClassifier(), 3)
OF_THREE = [
    ASKED,
    tasks.Sum([tasks.Denoising(), ASKED]),
    tasks.Sum([tasks.Sum([tasks.Denoising()]), tasks.Sum([ASKED])]),
]


@pytest.mark.parametrize(("task", "expected"), [*((task, [3, 3]) for task in OF_THREE), (tasks.Denoising(), [0, 1])])
def test_the_classes_are_those_of_the_task_alone_or_in_a_sum_and_else_the_data_s(task, expected):
    examples = Examples(torch.zeros(2, 3, 16, 16), {"label": torch.tensor([0, 1])})
    measurement = task.measure(examples, NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))
    module: Any = SimpleNamespace(sampler=SimpleNamespace(task=task))
    outputs: Any = SimpleNamespace(measurement=measurement, examples=examples)
    assert classes_of(module, outputs).tolist() == expected
    assert (task_of_classes(task) is ASKED) == (expected == [3, 3])


def test_a_twin_s_classes_are_found_in_a_sum_too():
    asked = {"class_path": "tasks.ClassLabel", "init_args": {"target": 3}}
    other = {"class_path": "tasks.Denoising", "init_args": {}}
    both = {"class_path": "tasks.Sum", "init_args": {"tasks": [other, asked]}}
    assert [_classes({"model": {"task": task}}) for task in (asked, both, other)] == [3, 3, "label"]
