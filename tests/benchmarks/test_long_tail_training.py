"""The losses of the long-tailed training are those of their papers, and both trainings see the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.portraits import train_long_tail
from benchmarks.portraits.losses import ClassBalancing, Denoising
from dsg.data.portraits import CLASSES
from dsg.data.portraits.attributes import class_label, draw_traits
from dsg.data.portraits.long_tail import class_counts, picture_indices
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.models.portraits.long_tail import PortraitsLongTail

SCHEDULE = NoiseSchedule("linear", 1000, 1e-4, 2e-2)
COUNTS = (8, 3, 1)


class Table(nn.Module):
    """v is a number for each class, whatever the state: every gradient can be written down."""

    def __init__(self, values=(0.5, -1.0, 2.0, 0.0)) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))

    def forward(self, noisy, times, labels):
        value = self.values[labels].view(-1, *[1] * (noisy.dim() - 1))
        return value.expand_as(noisy)


def batch(labels, times):
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, len(labels), 1, 2, 2, generator=generator)
    return clean, torch.tensor(labels), torch.tensor(times), noise


def gradient(loss, *of):
    table = Table()
    loss(table, *of).backward()
    return table.values.grad


def test_at_most_a_signal_to_noise_ratio_of_five_the_loss_is_that_of_the_noise():
    clean, labels, times, noise = batch([0, 1], [500, 900])
    share = torch.tensor(SCHEDULE.alpha_bar[[500, 900]]).float().view(-1, 1, 1, 1)
    noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
    v = torch.tensor([0.5, -1.0]).view(-1, 1, 1, 1)
    epsilon = share.sqrt() * v + (1 - share).sqrt() * noisy
    found = Denoising(SCHEDULE)(Table(), clean, labels, times, noise)
    torch.testing.assert_close(found, (epsilon - noise).square().mean(), atol=2e-2, rtol=2e-2)  # bfloat16


def test_the_regulariser_pulls_both_ways_with_a_quarter_back_and_by_the_share_of_the_time():
    of = batch([0, 2], [800, 400])
    loss = ClassBalancing(SCHEDULE, COUNTS, tau=0.7, seed=3)
    plain, balanced = gradient(Denoising(SCHEDULE), *of), gradient(loss, *of)
    others = torch.multinomial(loss.q, 2, replacement=True, generator=torch.Generator().manual_seed(3))
    expected, h = torch.zeros(4), torch.tensor([0.5, -1.0, 2.0, 0.0])
    for own, other, t in zip([0, 2], others.tolist(), [800, 400], strict=True):
        a = float(SCHEDULE.alpha_bar[t])
        weight = min(a / (1 - a), 5.0) * (1 - a) * 0.7 * t / 1000 / 2  # the mean over two pictures
        expected[own] += weight * 2 * float(h[own] - h[other])
        expected[other] += weight * 0.25 * 2 * float(h[other] - h[own])
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(balanced - plain, expected, atol=1e-3, rtol=1e-2)


def test_pictures_whose_label_was_dropped_and_a_strength_of_zero_have_no_regulariser():
    dropped = batch([3, 3], [800, 400])
    assert torch.equal(gradient(ClassBalancing(SCHEDULE, COUNTS), *dropped), gradient(Denoising(SCHEDULE), *dropped))
    kept = batch([0, 2], [800, 400])
    zero = gradient(ClassBalancing(SCHEDULE, COUNTS, tau=0.0), *kept)
    torch.testing.assert_close(zero, gradient(Denoising(SCHEDULE), *kept), atol=1e-7, rtol=0)


def test_other_labels_come_as_often_as_in_the_set_or_evenly():
    assert ClassBalancing(SCHEDULE, COUNTS).q.tolist() == [8, 3, 1]
    assert ClassBalancing(SCHEDULE, COUNTS, labels="uniform").q.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ClassBalancing(SCHEDULE, (5, 0, 1)), "class 1 has no picture"),
        (lambda: ClassBalancing(SCHEDULE, COUNTS, tau=-1.0), "at least 0, got -1.0"),
        (lambda: ClassBalancing(SCHEDULE, COUNTS, labels="even"), "prior or uniform, got 'even'"),
        (lambda: class_counts(100, 0.0), r"in \(0, 1\], got 0.0"),
        (lambda: class_counts(100, 1.5), r"in \(0, 1\], got 1.5"),
        (lambda: class_counts(50, 0.01), "class 6 would have no picture: 50 of class 0"),
    ],
)
def test_a_set_or_a_loss_that_there_cannot_be_is_refused(make, says):
    with pytest.raises(UserError, match=says):
        make()


def test_a_set_has_as_many_pictures_of_each_class_as_were_counted():
    counts = class_counts(100, 0.01)
    assert counts == (100, 51, 26, 13, 7, 3, 1, 1)
    assert class_counts(5, 1.0) == (5,) * 8
    indices, labels = picture_indices(400_000, counts)
    assert np.bincount(labels, minlength=len(CLASSES)).tolist() == list(counts)
    assert [class_label(draw_traits(int(index))) for index in indices] == labels.tolist()
    assert (np.diff(indices) > 0).all()


def test_a_training_ends_in_weights_that_the_model_loads_and_a_mistake_in_a_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train_long_tail, "rendered", lambda indices: np.zeros((len(indices), 3, 64, 64), np.uint8))
    given = ["--largest", "2", "--ratio", "1", "--steps", "2", "--batch_size", "2", "--latents", f"{tmp_path}/x.pt"]
    assert train_long_tail.main(["--loss", "balanced", "--out", str(tmp_path / "b"), *given]) == 0
    model = PortraitsLongTail("balanced", str(tmp_path / "b" / "long_tail_balanced.safetensors"))
    assert (model.shape, model.image_shape) == ((4, 16, 16), (3, 64, 64))
    assert (model.num_classes, model.knows_marginal) == (8, True)
    assert train_long_tail.main(["--loss", "plain", "--out", str(tmp_path / "p"), *given, "--largest", "3"]) == 2
    assert "holds 16 pictures and the set has 24" in capsys.readouterr().err
    assert train_long_tail.main(["--loss", "plain", "--out", str(tmp_path / "b"), *given]) == 2
    assert "is of another training (balanced" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"no file at .*train_long_tail --loss plain makes one"):
        PortraitsLongTail("plain", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="plain or balanced, got 'even'"):
        PortraitsLongTail("even")
