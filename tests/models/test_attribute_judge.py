"""The judge of captions sees in pictures what their captions name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dsg.data.portraits import HELD_OUT_START, caption, render
from dsg.errors import UserError
from dsg.models.portraits.attribute_judge import CHOICES, WEIGHTS, AttributeJudge, indices

INDICES = [HELD_OUT_START + 310_000 + k for k in range(150)]


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.stack([render(index).image for index in INDICES]))


@pytest.fixture(scope="module")
def judge():
    return AttributeJudge()


def test_it_sees_what_captions_of_unseen_portraits_name(judge, images):
    named = [caption(index).named for index in INDICES]
    right = [answer for told in judge.agrees(images, named) for answer in told.values()]
    assert len(right) > 500
    assert np.mean(right) > 0.93


def test_it_does_not_see_what_captions_of_other_portraits_name(judge, images):
    named = [caption(index).named for index in INDICES]
    right = [answer for told in judge.agrees(images.roll(1, 0), named) for answer in told.values()]
    assert np.mean(right) < 0.6


def test_its_probabilities_are_those_of_the_named_values(judge, images):
    named = [caption(index).named for index in INDICES]
    chances = judge.probabilities(images, named)
    assert [set(told) for told in chances] == [set(told) for told in named]
    every = np.array([chance for told in chances for chance in told.values()])
    assert every.min() >= 0
    assert every.max() <= 1
    right = [answer for told in judge.agrees(images, named) for answer in told.values()]
    assert abs(every.mean() - np.mean(right)) < 0.04


def test_each_fact_has_a_recorded_accuracy_on_held_out_portraits():
    recorded = json.loads(WEIGHTS.with_suffix(".json").read_text())
    assert set(recorded["accuracy"]) == set(CHOICES) == set(recorded["clear_in"])
    assert min(recorded["accuracy"].values()) > 0.8
    assert recorded["accuracy"]["hat"] > 0.98


def test_it_is_small_frozen_and_does_not_couple_pictures(judge, images):
    assert WEIGHTS.stat().st_size < 600_000
    assert {tensor.dtype for tensor in load_file(WEIGHTS).values()} == {torch.float16}
    assert not any(p.requires_grad for p in judge.parameters())
    alone, together = judge(images[3:4]), judge(images[:8])
    for name, logits in alone.items():
        torch.testing.assert_close(logits[0], together[name][3], atol=1e-4, rtol=1e-4)


def test_facts_as_numbers_are_minus_one_where_they_are_not_clear():
    found = indices([{"hat": "cap"}, {"smile": "smiling"}])
    assert found["hat"].tolist() == [CHOICES["hat"].index("cap"), -1]
    assert found["smile"].tolist() == [-1, 0]
    assert set(found) == set(CHOICES)


def test_pictures_of_another_size_are_refused(judge):
    with pytest.raises(UserError, match=r"needs images of shape \(3, 64, 64\), got \(3, 32, 32\)"):
        judge(torch.zeros(1, 3, 32, 32))
