"""A score model that is told a text: where its texts come from, and what it makes of them."""

import pytest
import torch
from torch import nn

from dsg.data.examples import Examples
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.continuous import FlowSchedule
from dsg.errors import UserError
from dsg.models.coordinates import RectifiedFlow
from dsg.models.text import Prompts, TextCondition, TextEncoding, TextModel
from tests.toy import Toy


class Letters(TextEncoding):
    """A text as how many letters a and b it has."""

    def __init__(self) -> None:
        super().__init__([])

    def forward(self, texts):
        counts = [[float(text.count(letter)) for letter in "ab"] for text in texts]
        return TextCondition(torch.tensor(counts)[:, None], torch.tensor(counts))

    def combine(self, encoded):
        raise AssertionError("it has no encoders")


class Sum(nn.Module):
    def forward(self, x, t, condition):
        return x * 0 + condition.embedding.sum((1, 2))[:, None, None, None] + t[:, None, None, None]


def model(prompt=None, negative=""):
    texts = Prompts("m.prompt", prompt, "prompt"), Prompts("m.negative_prompt", negative, "negative_prompt")
    return TextModel(Sum(), (1, 2, 2), "velocity", FlowSchedule(), RectifiedFlow(1000.0), Letters(), *texts)


def examples(**columns):
    return Examples(torch.zeros(2, 1, 2, 2), columns)


def test_texts_come_of_the_data_or_of_one_option_and_away_from_the_negative_of_each():
    both = {"prompt": ["a", "ab"], "negative_prompt": ["bb", ""]}
    told = model(negative=None).condition(examples(**both))
    assert told.embedding[:, 0].tolist() == [[1, 0], [1, 1]]
    assert told.null().embedding[:, 0].tolist() == [[0, 2], [0, 0]]
    assert model(negative=None).hears == {"prompt", "negative_prompt"}
    for_all = model("aa", "b")
    assert for_all.hears == for_all.requires == frozenset()
    told = for_all.condition(examples(**both))
    assert told.embedding[:, 0].tolist() == [[2, 0], [2, 0]]
    assert told.null().embedding[:, 0].tolist() == [[0, 1], [0, 1]]


def test_rows_of_a_condition_have_their_own_negatives():
    told = model(negative=None).condition(examples(prompt=["a", "ab"], negative_prompt=["bb", ""]))
    second = told.rows(torch.tensor([1]))
    assert (len(second), second.embedding.tolist(), second.pooled.tolist()) == (1, [[[1, 1]]], [[1, 1]])
    assert second.null().embedding.tolist() == [[[0, 0]]]
    assert second.to(torch.device("cpu")).null() is not None


def test_without_a_condition_it_hears_the_empty_text():
    silent, x = model(), torch.randn(2, 1, 2, 2)
    level = silent.schedule.level(0.25)
    empty = silent.condition(examples(prompt=["", ""]))
    assert torch.equal(silent(x, level).clean_estimate, silent(x, level, empty).clean_estimate)
    own = x / (level.signal + level.noise)
    torch.testing.assert_close(silent(x, level).clean_estimate, own - 0.25 * 250.0)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "m.prompt: the data has no column prompt; give the data's metadata a column prompt, or set m.prompt"),
        ({"prompt": torch.tensor([1, 2])}, "column prompt is of numbers or images, and texts are needed"),
    ],
)
def test_texts_that_are_not_there_are_asked_for_in_one_line(columns, words):
    with pytest.raises(UserError, match=words):
        model().condition(examples(**columns))


def test_what_is_no_text_or_not_one_a_state_is_refused():
    level = model().schedule.level(0.5)
    with pytest.raises(UserError, match="cannot use ClassLabels"):
        model()(torch.zeros(1, 1, 2, 2), level, ClassLabels(torch.tensor([0])))
    with pytest.raises(UserError, match="2 texts for 3 states"):
        model()(torch.zeros(3, 1, 2, 2), level, model("a").condition(examples()))


def test_what_nobody_hears_is_said():
    columns = frozenset({"image", "prompt", "negative_prompt"})
    (line,) = model().notes(columns, leads_away=True)
    assert line.startswith("m.negative_prompt is the same text for all images; the data's column negative_prompt")
    (line,) = model("a", "b").notes(frozenset(), leads_away=False)
    assert line.startswith("m.negative_prompt: nothing leads away from it")
    assert model("a").notes(frozenset(), leads_away=False) == []
    assert model().notes(frozenset({"label"}), leads_away=True) == [
        "data.labels: not read, since TextModel is told of a text; leave them out"
    ]
    (line,) = Toy(16).notes(columns, leads_away=False)
    assert line == "not read: the data's negative_prompt and prompt, since Toy is told of no text"
