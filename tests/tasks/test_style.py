"""The style of another picture: Gram matrices of what a layer of a network says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.models.portraits.classifier import PortraitsClassifier
from tasks.networks.gram import Gram
from tests.toy import ToyClassifier, ToyFeatures


class Counted(nn.Module):
    """A network of three layers that counts how often its last one is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.early, self.late, self.unused = ToyFeatures(), ToyClassifier(), nn.Linear(3, 3)
        self.asked = 0

    def forward(self, images):
        self.early(images)
        self.asked += 1
        return self.late(images)


class OfTokens(nn.Module):
    """Tokens of the height and width of the pictures, the more of them bright the more blocks there are."""

    style_layer = 2

    def tokens(self, images, blocks):
        return blocks * images.flatten(2).mT


def images(count, side=16, seed=0):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def streams(count):
    return NoiseStreams([SampleKey(0, f"image{i}", 0) for i in range(count)])


def test_the_loss_is_the_norm_between_the_gram_matrices_of_each_picture_times_the_scale():
    network, style, x = Counted(), images(2), images(2, seed=1)
    task = tasks.Style(network, "early.layer", scale=0.01, reference="style")
    task.check((3, 16, 16))
    measurement = task.measure(Examples(x, {"style": style}), streams(2))
    gram = [
        [sum(t[:, i, j].outer(t[:, i, j]) for i in range(8) for j in range(8)) for t in network.early.layer(pictures)]
        for pictures in (x, style)
    ]
    expected = torch.stack([(one - other).norm() for one, other in zip(*gram, strict=True)])
    torch.testing.assert_close(task.loss(x, measurement), 0.01 * expected)
    relative = expected / torch.stack([of_style.norm() for of_style in gram[1]])
    torch.testing.assert_close(task.scores(x, measurement), {"style_distance": expected, "style_error": relative})
    assert task.loss(style, measurement).abs().max() < 1e-5
    assert torch.equal(task.picture(measurement), style)
    assert network.asked == 0  # what comes after the layer is not computed


def test_a_gram_matrix_forgets_where_things_are():
    x = images(1)
    mixed = x.flatten(2)[..., torch.randperm(256, generator=torch.Generator().manual_seed(0))].reshape(x.shape)
    torch.testing.assert_close(Gram(OfTokens(), 1)(x), Gram(OfTokens(), 1)(mixed))
    assert Gram(ToyFeatures(), "layer")(x.to(torch.float64).to(torch.bfloat16).float()).dtype == torch.float32


def test_a_network_of_blocks_is_asked_for_its_own_number_of_blocks_or_another():
    x = images(2)
    plain = x.flatten(2) @ x.flatten(2).mT
    torch.testing.assert_close(tasks.Style(OfTokens()).network(x), 4 * plain)
    torch.testing.assert_close(tasks.Style(OfTokens(), 3).network(x), 9 * plain)


@pytest.mark.parametrize("role", ["guide", "judge"])
def test_by_default_it_is_an_early_layer_of_the_portraits_classifiers(role):
    task = tasks.Style() if role == "guide" else tasks.Style(PortraitsClassifier("judge"))
    task.check((3, 64, 64))
    x = images(2, 64).requires_grad_()
    measurement = task.measure(Examples(images(2, 64, 1)), streams(2))
    (gradient,) = torch.autograd.grad(task.loss(x, measurement).sum(), x)
    assert gradient.flatten(1).norm(dim=1).min() > 0
    assert task.network.network.body[5](torch.zeros(1)).numel() == 1  # an activation, after the second convolution


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: tasks.Style(ToyFeatures(), "layr"), "has no 'layr', but layer; take a name"),
        (lambda: tasks.Style(ToyFeatures(), 3), "has no blocks to be counted, got 3; .*such as layer"),
        (lambda: tasks.Style(ToyFeatures()), "ToyFeatures does not say which is of style"),
        (lambda: tasks.Style(ToyFeatures(), "layer", scale=0.0), "scale: must be above 0"),
        (lambda: tasks.Style(ToyClassifier(), "layer").check((3, 16, 16)), r"says \(2, 4\), which has no places"),
        (lambda: tasks.Style(Counted(), "unused").check((3, 16, 16)), "answers without asking its Linear"),
        (lambda: tasks.Style().check((3, 32, 32)), "needs images of shape"),
        (
            lambda: tasks.Style(ToyFeatures(), "layer", reference="style").check_columns(frozenset({"image"})),
            "needs style of every example",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(wrong, message):
    with pytest.raises(UserError, match=message) as raised:
        wrong()
    assert "\n" not in str(raised.value)
