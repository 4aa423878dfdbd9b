"""Pictures of texts: the distance between what a network says of both."""

from __future__ import annotations

import pytest
import torch

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks.card import card
from tasks.features import CosineDistance
from tests.toy import ToyClassifier, ToyImageText

TEXTS = ["a bad cab", "dada"]


class Counting(ToyImageText):
    """One that says itself which texts it takes, and is asked about none before that."""

    def check_texts(self, texts):
        if whose := next((whose for whose, text in texts.items() if "z" in text), None):
            raise UserError(f"{whose}: has a z")

    def text_features(self, texts):
        raise AssertionError(texts)


def images(count, seed=0):
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def streams(count):
    return NoiseStreams([SampleKey(0, f"image{i}", 0) for i in range(count)])


@pytest.mark.parametrize("given", ["column", "option"])
def test_the_loss_is_the_norm_between_picture_and_text_and_the_score_their_cosine(given):
    network, x = ToyImageText(), images(2)
    texts = TEXTS if given == "column" else [TEXTS[0]] * 2
    task = tasks.Text(network) if given == "column" else tasks.Text(network, TEXTS[0])
    assert task.needs == ({"prompt"} if given == "column" else set())
    columns = {"prompt": TEXTS} if given == "column" else {}
    measurement = task.measure(Examples(images(2, 1), columns), streams(2))
    seen, told = network(x), network.text_features(texts)
    torch.testing.assert_close(task.loss(x, measurement), (seen - told).norm(dim=1))
    cosine = (seen * told).sum(1) / (seen.norm(dim=1) * told.norm(dim=1))
    torch.testing.assert_close(task.scores(x, measurement)["text_score"], cosine)
    by_cosine = tasks.Text(network, None if columns else TEXTS[0], distance=CosineDistance())
    torch.testing.assert_close(by_cosine.loss(x, measurement), 1 - cosine)
    shown = task.picture(measurement)
    assert shown.shape == (2, 3, 128, 128)
    assert torch.equal(shown[0], shown[1]) == (given == "option")


def test_a_card_breaks_its_text_between_words_and_cuts_what_has_no_room():
    short, long = card("a red door", 128), card("a red door with a cat before it " * 20, 128)
    assert short.min() >= -1
    assert short.max() <= 1
    written = [(picture - picture[:, :1, :1]).abs().amax(0) > 0.3 for picture in (short, long)]
    assert written[0].any()
    assert written[1].any(1).sum() > 5 * written[0].any(1).sum()
    assert not any(rows[0].any() or rows[-1].any() or rows[:, 0].any() or rows[:, -1].any() for rows in written)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: tasks.Text(ToyClassifier(), "a"), "task.network: ToyClassifier takes no texts"),
        (lambda: tasks.Text(ToyImageText(), " ").check_examples(lambda column: {}), "model.task.prompt: is empty"),
        (lambda: tasks.Text(ToyImageText()).check_examples(lambda column: {"x": ""}), "prompt of x: is empty"),
        (
            lambda: tasks.Text(ToyImageText()).check_examples(lambda column: {"w": "a", "x": "b" * 41}),
            "prompt of x: ToyImageText: takes 40 letters, got 41",
        ),
        (lambda: tasks.Text(ToyImageText()).check_examples(lambda column: {"x": 3}), "is of numbers or images"),
        (lambda: tasks.Text(Counting()).check_examples(lambda column: {"x": "zz"}), "prompt of x: has a z"),
        (
            lambda: tasks.Sum([tasks.Text(ToyImageText())]).check_examples(lambda column: {"x": ""}),
            "prompt of x: is empty",
        ),
        (lambda: tasks.Text(ToyImageText()).check_columns(frozenset({"image"})), "needs prompt of every example"),
        (
            lambda: tasks.Text(ToyImageText()).measure(Examples(images(1), {"prompt": ["b" * 41]}), streams(1)),
            "takes 40 letters",
        ),
        (lambda: tasks.Text(ToyImageText(), "a").check((3, 2)), "cannot take images of shape"),
    ],
)
def test_what_does_not_fit_is_one_line(wrong, message):
    with pytest.raises(UserError, match=message) as raised:
        wrong()
    assert "\n" not in str(raised.value)
