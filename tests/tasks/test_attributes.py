"""What a prompt names, and what a classifier of facts sees of it."""

from __future__ import annotations

import math

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.data.held_out import HeldOutPortraits
from dsg.data.portraits import HELD_OUT_START, caption, named_in, render
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.models.portraits.attribute_judge import AttributeJudge

TEXTS = [*(caption(HELD_OUT_START + i).text for i in range(6)), "nothing that is known"]


@pytest.fixture(scope="module")
def asked():
    """Portraits, each but the last one told by its own caption, and the task that asks for what is named."""
    images = torch.stack([torch.from_numpy(render(HELD_OUT_START + i).image) for i in range(7)])
    streams = NoiseStreams([SampleKey(0, f"{i}") for i in range(7)])
    task = tasks.Attributes()
    return task, images, task.measure(Examples(images, {"prompt": TEXTS}), streams)


def test_the_accuracy_is_the_share_of_named_facts_that_the_judge_sees(asked):
    task, images, measurement = asked
    worse = images.flip(0)  # other people's prompts
    agrees = AttributeJudge().agrees(worse, [named_in(text) for text in TEXTS])
    by_hand = [sum(facts.values()) / len(facts) if facts else math.nan for facts in agrees]
    found = task.scores(worse, measurement)["attribute_accuracy"].tolist()
    assert found == pytest.approx(by_hand, nan_ok=True)
    assert 0 < sum(found[:6]) < 6
    assert sum(task.scores(images, measurement)["attribute_accuracy"].tolist()[:6]) > sum(found[:6])


def test_the_loss_is_the_mean_surprise_at_the_named_facts_and_zero_of_none(asked):
    task, images, measurement = asked
    chances = AttributeJudge().probabilities(images, [named_in(text) for text in TEXTS])
    by_hand = [-sum(map(math.log, facts.values())) / max(len(facts), 1) for facts in chances]
    assert task.loss(images, measurement).tolist() == pytest.approx(by_hand, rel=1e-4, abs=1e-6)
    assert by_hand[-1] == 0
    assert task.picture(measurement).shape == (7, 3, 128, 128)


def test_prompts_that_name_nothing_and_images_of_another_size_are_refused_before_the_first_sample():
    task = tasks.Attributes()
    with pytest.raises(UserError, match="no prompt names a fact"):
        task.check_examples(lambda column: {"a": "nothing that is known"})
    with pytest.raises(UserError, match=r"task.network: AttributeJudge: needs images of shape \(3, 64, 64\)"):
        task.check((3, 16, 16))
    with pytest.raises(UserError, match="needs prompt"):
        task.check_columns(HeldOutPortraits(limit=2).columns())
    task.check_columns(HeldOutPortraits(limit=2, captions=True).columns())
