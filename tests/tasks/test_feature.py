"""Losses that are networks: distances, preparations, and tasks in which several come together."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks.features import (
    IMAGENET,
    CosineDistance,
    Crop,
    CrossEntropy,
    MeanSquare,
    Norm,
    Normalise,
    Pool,
    Resize,
    SquaredNorm,
)
from tests.toy import ToyClassifier

SHAPE = (3, 16, 16)


def images(count, seed=0):
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def streams(count):
    return NoiseStreams([SampleKey(0, f"image{i}", 0) for i in range(count)])


def features(count=3, seed=0, width=5):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("distance", "formula"),
    [
        (Norm(), lambda a, b: ((a - b) ** 2).sum().sqrt()),
        (SquaredNorm(), lambda a, b: ((a - b) ** 2).sum()),
        (MeanSquare(), lambda a, b: ((a - b) ** 2).mean()),
        (CosineDistance(), lambda a, b: 1 - (a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_distance_is_its_formula_of_each_sample(distance, formula):
    a, b = features(), features(seed=1)
    torch.testing.assert_close(
        distance(a, distance.target(b)), torch.stack([formula(*pair) for pair in zip(a, b, strict=True)])
    )


def test_the_cross_entropy_is_of_the_reference_s_likeliest_classes_and_an_ignored_place_counts_as_nothing():
    logits = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    target = CrossEntropy().target(logits)
    assert torch.equal(target, logits.argmax(1))
    surprise = -logits.log_softmax(1).gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(CrossEntropy()(logits, target), surprise.mean((1, 2)))
    target[:, 0] = 255
    kept = surprise[:, 1:].sum((1, 2))
    torch.testing.assert_close(CrossEntropy()(logits, target), kept / 9)
    torch.testing.assert_close(CrossEntropy(leave_out=True)(logits, target), kept / 6)
    target[:] = 255
    assert CrossEntropy(leave_out=True)(logits, target).tolist() == [0, 0]


def test_preparations_are_what_they_say():
    x = images(2)
    assert torch.equal(Crop(2, 10, 1, 4)(x), x[:, :, 2:10, 1:4])
    torch.testing.assert_close(Pool(8)(x), nn.functional.avg_pool2d(x, 2))
    assert Pool(8, unless=16)(x) is x
    torch.testing.assert_close(Pool(32)(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(Resize(32)(x).mean(), x.mean(), atol=2e-2, rtol=0)
    means = torch.tensor(IMAGENET.mean)[:, None, None] * 2 - 1
    assert IMAGENET(means.expand(1, 3, 4, 4)).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Crop(4, 4, 0, 2), "top < bottom"),
        (lambda: Crop(0, 20, 0, 8).check(SHAPE), "rows 0:20 and columns 0:8 go beyond a picture of 16x16"),
        (lambda: Pool(0), "size: must be at least 1"),
        (lambda: Resize(8, "nearest"), "mode: must be bilinear or bicubic"),
        (lambda: Normalise((0.5,), (0.0,)), "std above 0"),
        (lambda: Normalise((0.5,), (1.0,)).check(SHAPE), "1 channels, and the pictures have 3"),
        (lambda: tasks.Feature(ToyClassifier(), [Crop(0, 64, 0, 64)]).check(SHAPE), "go beyond"),
        (lambda: tasks.Feature(nn.Linear(7, 2)).check(SHAPE), "cannot take images of shape"),
        (lambda: tasks.Feature(ToyClassifier(answer=float("nan"))).check(SHAPE), "not finite"),
        (lambda: tasks.Feature(ToyClassifier(), reference="style").check_columns(frozenset({"image"})), "needs style"),
        (lambda: tasks.Sum([]), "need one a task, got 0 for 0"),
        (lambda: tasks.Sum([tasks.Denoising()], [1.0, 2.0]), "got 2 for 1"),
        (lambda: tasks.Sum([tasks.Denoising()], [0.0]), "above 0"),
    ],
)
def test_what_does_not_fit_is_one_line(wrong, message):
    with pytest.raises(UserError, match=message):
        wrong()


def test_the_loss_of_features_is_zero_at_the_reference_and_the_reference_may_be_another_column():
    network = ToyClassifier()
    task = tasks.Feature(network, [Pool(4)], reference="style")
    style, x = images(3), images(3, 1)
    measurement = task.measure(Examples(x, {"style": style}), streams(3))
    assert task.loss(style, measurement).tolist() == [0, 0, 0]
    expected = (network(x) - network(style)).norm(dim=1)
    torch.testing.assert_close(task.loss(x, measurement), expected)
    torch.testing.assert_close(task.scores(x, measurement)["feature_distance"], expected)
    assert torch.equal(task.picture(measurement), style)


def test_a_sum_is_the_losses_times_their_strengths_and_draws_what_its_parts_draw():
    parts = [tasks.RandomInpainting(), tasks.ClassLabel(ToyClassifier())]
    both, x = tasks.Sum(parts, [2.0, 0.5]), images(3, 1)
    measured = both.measure(Examples(images(3)), streams(3))
    alone = parts[0].measure(Examples(images(3)), streams(3))
    assert torch.equal(measured.parts[0].y, alone.y)
    expected = sum(s * t.loss(x, p) for s, t, p in zip([2.0, 0.5], parts, measured.parts, strict=True))
    torch.testing.assert_close(both.loss(x, measured), expected)
    torch.testing.assert_close(both.residual(x, measured), parts[0].residual(x, measured.parts[0]))
    assert both.picture(measured).shape[1] == 3
    assert both.compares(frozenset({"image"})) == "image"


@pytest.mark.parametrize("task", [tasks.RandomInpainting(), tasks.SuperResolution(4), tasks.Denoising()])
def test_a_grey_measurement_stands_below_a_coloured_picture(task):
    both, grey = tasks.Sum([task, tasks.ClassLabel(nn.Sequential(nn.Flatten(), nn.Linear(256, 4)))]), images(2)[:, :1]
    measured = both.measure(Examples(grey), streams(2))
    shown = both.picture(measured)
    assert shown.shape[1] == 3
    assert torch.equal(shown[:, 0, :16], shown[:, 2, :16])


def test_scores_of_two_tasks_of_one_name_keep_their_ending():
    one = tasks.Feature(ToyClassifier())
    both = tasks.Sum([one, one])
    told = both.scores(images(2), both.measure(Examples(images(2)), streams(2)))
    assert list(told) == ["feature_distance", "feature_2_distance"]
