"""Losses that look at faces: identity, segmentation, landmarks, sketch; boxes, label maps and points."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tasks
from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from tasks.features import CrossEntropy, Norm, Pool, Prepared, Resize
from tasks.features.face_box import Window, boxes_of, window_of
from tasks.features.label_maps import coloured, mean_iou
from tasks.networks.sobel import SobelSketch
from tests.toy import ToyClassifier, ToyFeatures

SHAPE = (3, 16, 16)
NO_STREAMS = NoiseStreams([])


def images(count, seed=0):
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def measured(task, reference, **columns):
    return task.measure(Examples(reference, columns), NO_STREAMS)


class Brightest(nn.Module):
    """x and y of the brightest pixel in units of the picture's sides, (B,2): an exact landmark."""

    def forward(self, pictures):
        height, width = pictures.shape[-2:]
        place = pictures.sum(1).flatten(1).argmax(1)
        return torch.stack([place % width / width, place // width / height], dim=1)


class Unit(Prepared):
    """A network of points in units of what it sees."""

    def to_pixels(self, features, height, width):
        return features.reshape(len(features), -1, 2) * features.new_tensor([width, height])

    def from_pixels(self, points, height, width):
        return (points / points.new_tensor([width, height])).flatten(1)


def bright_at(*places):
    pictures = torch.full((len(places), *SHAPE), -1.0)
    for picture, (x, y) in zip(pictures, places, strict=True):
        picture[:, y, x] = 1.0
    return pictures


def test_a_box_asks_the_network_for_the_answer_that_it_gives_without_one():
    class OfUnitLength(Prepared):
        def answer(self, prepared):
            return torch.nn.functional.normalize(super().answer(prepared), dim=1)

    network, x = OfUnitLength(ToyClassifier(4)), images(2)
    whole, boxed = tasks.Identity(network), tasks.Identity(network, face_box=[2, 2, 13, 13])
    assert measured(whole, x).y.norm(dim=1).tolist() == pytest.approx([1.0, 1.0])
    assert measured(boxed, x).y.norm(dim=1).tolist() == pytest.approx([1.0, 1.0])


def test_identity_is_the_norm_of_the_difference_and_its_similarity_the_cosine():
    network, x, reference = ToyClassifier(), images(3), images(3, 1)
    task = tasks.Identity(network)
    asked = measured(task, reference)
    torch.testing.assert_close(task.loss(x, asked), (network(x) - network(reference)).norm(dim=1))
    a, b = network(x), network(reference)
    cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    torch.testing.assert_close(task.scores(x, asked)["identity_similarity"], cosine)
    assert torch.equal(task.picture(asked), reference)


def test_the_window_around_a_box_is_that_of_freedom_s_code():
    # w = 101, h = 121: ⌊1.2·101⌋ = 121 pixels around (10 + 50, 20 + 60)
    assert window_of([10, 20, 110, 140, 0.99]) == Window(20, 141, 0, 121)
    assert window_of([40.7, 50.2, 99.9, 120.4]) == Window(49, 121, 34, 106)
    assert boxes_of(torch.tensor([[[5.0, 9.0], [2.0, 7.0], [4.0, 8.0]]])) == [[2, 7, 5, 9]]  # landmarks
    assert boxes_of(["1 2 30 40", "[5, 6, 7.5, 8, 0.9]"]) == [[1, 2, 30, 40], [5, 6, 7.5, 8, 0.9]]


def test_every_face_is_cut_by_its_own_box_and_one_box_serves_all():
    network = Prepared(ToyClassifier(), [Pool(4)])
    x, boxes = images(2), torch.tensor([[2, 2, 8, 8], [5.0, 4, 12, 11]])
    each = tasks.Identity(network, face_box="face_box")
    found = measured(each, x, face_box=boxes).y
    (a, b) = (window_of(box) for box in boxes.tolist())
    cut = [x[:1, :, a.top : a.bottom, a.left : a.right], x[1:, :, b.top : b.bottom, b.left : b.right]]
    torch.testing.assert_close(found, torch.cat([network(face) for face in cut]))
    one = tasks.Identity(network, face_box=[2, 2, 8, 8])
    one.check(SHAPE)
    torch.testing.assert_close(measured(one, x).y[:1], found[:1])
    assert each.needs == {"image", "face_box"}


def test_a_landmark_s_error_is_in_pixels_of_the_sample_whatever_the_network_s_unit():
    task = tasks.Landmarks(Unit(Brightest()))
    asked = measured(task, bright_at((3, 4), (10, 10)))
    error = task.scores(bright_at((6, 8), (10, 10)), asked)["landmark_error"]
    torch.testing.assert_close(error, torch.tensor([5.0, 0.0]))
    boxed = tasks.Landmarks(Unit(Brightest(), [Resize(16)]), face_box=[3, 3, 10, 10])
    asked = measured(boxed, bright_at((4, 5)))
    assert boxed.scores(bright_at((4, 5)), asked)["landmark_error"].item() == 0


def test_points_of_the_data_are_asked_as_the_network_would_say_them_and_drawn_on_grey():
    task = tasks.Landmarks(Unit(Brightest()), reference="landmarks")
    pictures, points = bright_at((6, 8), (1, 2)), torch.tensor([[[6.0, 8.0]], [[1.0, 5.0]]])
    asked = measured(task, pictures, landmarks=points)
    assert task.scores(pictures, asked)["landmark_error"].tolist() == [0, 3]
    torch.testing.assert_close(task.loss(pictures, asked), torch.tensor([0.0, 3 / 16]))
    shown = task.picture(asked)
    assert shown.shape == (2, 3, 256, 256)
    red = (shown[0, 0] - shown[0, 1]) > 1
    x, y = red.nonzero().float().mean(0).flip(0).tolist()
    assert (x, y) == pytest.approx((16 * 6.5, 16 * 8.5), abs=1)


def test_a_reference_whose_channels_are_reversed_is_read_as_freedom_s_code_reads_it():
    network = ToyClassifier()
    consistent, code = tasks.Landmarks(network), tasks.Landmarks(network, reference_channels="bgr")
    assert torch.equal(measured(consistent, images(2)).y, network(images(2)))
    assert torch.equal(measured(code, images(2)).y, network(images(2).flip(1)))


def test_segmentation_asks_for_the_reference_s_likeliest_classes_or_for_its_logits():
    network, x, reference = ToyFeatures(), images(2), images(2, 1)
    parts = network(reference).argmax(1)
    task = tasks.Segmentation(network)
    asked = measured(task, reference)
    assert torch.equal(asked.y, parts)
    torch.testing.assert_close(
        task.loss(x, asked), -network(x).log_softmax(1).gather(1, parts[:, None]).flatten(1).mean(1)
    )
    assert task.scores(reference, asked)["mean_iou"].tolist() == [1, 1]
    assert torch.equal(task.picture(asked), coloured(parts))
    freedom = tasks.Segmentation(network, Norm())
    asked = measured(freedom, reference)
    torch.testing.assert_close(freedom.loss(x, asked), (network(x) - network(reference)).flatten(1).norm(dim=1))
    assert torch.equal(freedom.picture(asked), coloured(parts))


def test_a_column_of_label_maps_is_brought_to_the_logits_size():
    task = tasks.Segmentation(ToyFeatures(), reference="segmentation")
    small = torch.tensor([[0, 1], [255, 3]]).repeat_interleave(4, 0).repeat_interleave(4, 1)[None]
    large = small.repeat_interleave(2, 1).repeat_interleave(2, 2)
    asked = measured(task, images(1), segmentation=large)
    assert torch.equal(asked.y, small)
    found = ToyFeatures()(images(1)).argmax(1)
    expected = mean_iou(found, small, 4, 255)
    torch.testing.assert_close(task.scores(images(1), asked)["mean_iou"], expected)


def test_the_mean_iou_is_over_the_classes_that_the_reference_has():
    asked = torch.tensor([[[0, 0, 1, 1]], [[2, 2, 2, 255]]])
    found = torch.tensor([[[0, 1, 1, 3]], [[2, 2, 0, 1]]])
    # of the first: 1/2 of class 0, 1/3 of class 1; of the second 2/3 of class 2, the ignored place counts for nothing
    torch.testing.assert_close(mean_iou(found, asked, 4, 255), torch.tensor([(1 / 2 + 1 / 3) / 2, 2 / 3]))


def test_the_fixed_sketch_is_white_where_nothing_changes_and_dark_at_an_edge():
    picture = torch.full((1, 3, 8, 8), -1.0)
    picture[..., 4:] = 1.0
    drawn = SobelSketch()(picture)
    assert drawn.shape == (1, 1, 8, 8)
    assert (drawn[..., 3:5] < -0.99).all()
    assert (drawn[..., [0, 1, 6, 7]] > 0.8).all()
    torch.testing.assert_close(SobelSketch()(picture.transpose(2, 3)), drawn.transpose(2, 3))
    flat = torch.zeros(1, *SHAPE, requires_grad=True)
    SobelSketch()(flat).sum().backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_the_distance_of_sketches_is_their_norm_and_the_drawing_is_shown():
    task, x = tasks.Sketch(), images(2)
    asked = measured(task, images(2, 1))
    expected = (SobelSketch()(x) - SobelSketch()(images(2, 1))).flatten(1).norm(dim=1)
    torch.testing.assert_close(task.scores(x, asked)["sketch_distance"], expected)
    assert torch.equal(task.picture(asked)[:, :1], SobelSketch()(images(2, 1)))


@pytest.mark.parametrize(
    "task",
    [
        tasks.Identity(Prepared(ToyClassifier(), [Pool(4)]), face_box=[2, 2, 8, 8]),
        tasks.Segmentation(ToyFeatures()),
        tasks.Landmarks(ToyClassifier(6)),
        tasks.Sketch(),
    ],
    ids=lambda task: type(task).__name__,
)
def test_no_loss_and_no_gradient_depends_on_a_neighbour(task):
    x, reference = images(3).requires_grad_(), images(3, 1)
    losses = task.loss(x, measured(task, reference))
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    assert (gradient.flatten(1).norm(dim=1) > 0).all()
    for i in range(3):
        alone = x[i : i + 1].detach().requires_grad_()
        loss = task.loss(alone, measured(task, reference[i : i + 1]))
        torch.testing.assert_close(loss, losses[i : i + 1])
        torch.testing.assert_close(torch.autograd.grad(loss.sum(), alone)[0], gradient[i : i + 1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: window_of([5, 5, 4, 9]), "x1 ≤ x2"),
        (lambda: window_of([5, 5, 4]), "must be x1, y1, x2, y2"),
        (lambda: boxes_of(["left"]), "must be numbers like '30 40 200 220'"),
        (lambda: tasks.Identity(ToyClassifier(), face_box=[1, 1, 9, 9]), "takes pictures of one size alone"),
        (
            lambda: tasks.Identity(Prepared(ToyClassifier(), [Pool(4)]), face_box=[9, 9, 15, 16]).check(SHAPE),
            "task.face_box: the face's crop, rows 9:17 and columns 8:16, is not inside a picture of 16x16",
        ),
        (
            lambda: measured(
                tasks.Identity(Prepared(ToyClassifier(), [Pool(4)]), face_box="face_box"),
                images(1),
                face_box=torch.tensor([[0.0, 0.0, 9.0, 9.0]]),
            ),
            "data: column face_box: the face's crop, rows -1:11",
        ),
        (lambda: tasks.Identity(ToyClassifier(), reference="other").check_columns(frozenset({"image"})), "needs other"),
        (lambda: tasks.Segmentation(ToyClassifier()).check(SHAPE), "must answer two images with logits"),
        (lambda: tasks.Identity(ToyClassifier(answer=float("nan"))).check(SHAPE), "not finite"),
        (
            lambda: measured(
                tasks.Segmentation(ToyFeatures(), reference="parts"), images(1), parts=torch.full((1, 16, 16), 4)
            ),
            "column parts has the label 4, and ToyFeatures has the classes 0 to 3",
        ),
        (
            lambda: measured(tasks.Segmentation(ToyFeatures(), reference="label"), images(1), label=torch.tensor([1])),
            "must be label maps",
        ),
        (
            lambda: measured(
                tasks.Segmentation(ToyFeatures(), Norm(), "parts"), images(1), parts=torch.zeros(1, 16, 16).long()
            ),
            "Norm compares logits",
        ),
        (
            lambda: measured(
                tasks.Landmarks(ToyClassifier(6), reference="points"), images(1), points=torch.zeros(1, 5, 2)
            ),
            "has 5 points, and ToyClassifier finds 3",
        ),
        (
            lambda: measured(
                tasks.Landmarks(Unit(ToyClassifier(6)), reference="points", face_box=[2, 2, 13, 13]),
                images(1),
                points=torch.zeros(1, 5, 2),
            ),
            "has 5 points, and Unit finds 3",
        ),
        (lambda: tasks.Landmarks(ToyClassifier(), reference_channels="grey"), "must be rgb or bgr"),  # type: ignore[arg-type]
        (lambda: SobelSketch(0.0), "above 0"),
    ],
)
def test_what_does_not_fit_is_one_line(wrong, message):
    with pytest.raises(UserError, match=message) as told:
        wrong()
    assert "\n" not in str(told.value)


def test_the_cross_entropy_s_class_for_none_is_its_own_option():
    task = tasks.Segmentation(ToyFeatures(), CrossEntropy(ignore=9), "parts")
    with pytest.raises(UserError, match="label 255"):
        measured(task, images(1), parts=torch.full((1, 16, 16), 255))
    assert measured(task, images(1), parts=torch.full((1, 16, 16), 9)).y.unique().tolist() == [9]
