"""The twins' training: figures of quality are what they say, and a training leaves weights that the twin loads."""

from __future__ import annotations

import json
from argparse import Namespace

import numpy as np
import pytest
import torch

from benchmarks.portraits import train_twins
from benchmarks.portraits.lessons import LESSONS
from benchmarks.portraits.lessons.identity import verification
from benchmarks.portraits.lessons.landmarks import distances
from benchmarks.portraits.lessons.segmentation import intersection_over_union
from benchmarks.portraits.timed import Timed
from benchmarks.portraits.truths import cached_truths
from dsg.data.portraits import HELD_OUT_START, render


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


def test_truths_are_rendered_once_and_are_those_of_their_person_and_variation(folder, monkeypatch):
    truths = cached_truths(folder, HELD_OUT_START, 2, 3)
    monkeypatch.setattr("benchmarks.portraits.truths.render", None)
    again = cached_truths(folder, HELD_OUT_START, 2, 3)
    portrait = render(*again.shown(4))
    assert again.shown(4) == (HELD_OUT_START + 1, 1)
    assert np.array_equal(again.images, truths.images)
    assert np.array_equal(again.images[4] / np.float32(127.5) - 1, portrait.image)
    assert np.array_equal(again.segmentation[4], portrait.segmentation)
    assert np.array_equal(again.landmarks[4], portrait.landmarks)


@pytest.mark.parametrize("kind", LESSONS)
def test_a_training_leaves_weights_that_the_twin_loads_and_their_quality(kind, folder, tmp_path, monkeypatch):
    recorded = train(kind, folder, tmp_path, monkeypatch, until=1)
    weights = str(tmp_path / f"{kind}_judge.safetensors")
    assert LESSONS[kind].twin("judge", weights)(torch.zeros(1, 3, 64, 64)).isfinite().all()
    figures = [value for value in recorded.values() if isinstance(value, float)]
    assert len(figures) >= 2
    assert np.isfinite(figures).all()


def test_a_training_that_is_started_again_goes_on(folder, tmp_path, monkeypatch):
    train("landmarks", folder, tmp_path, monkeypatch, until=1)
    assert train("landmarks", folder, tmp_path, monkeypatch, until=3)["training"]["steps"] == 3
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert {int(state["step"]) for state in saved["optimizer"]["state"].values()} == {3}


def train(kind, folder, out, monkeypatch, until):
    options = {"kind": kind, "role": "judge", "out": out, "pictures": folder, "people": 22, "variations": 3}
    monkeypatch.setattr(train_twins, "Timed", _until(until))
    train_twins.train(Namespace(**options, lr=1e-3, time_limit=1e9, evaluation_people=22))
    return json.loads((out / f"{kind}_judge.json").read_text())


def _until(last: int) -> type[Timed]:
    class Short(Timed):
        def goes_on(self, optimizer):
            return self.step < last and super().goes_on(optimizer)

    return Short


def test_pairs_that_are_told_apart_have_area_1_and_no_error_and_random_ones_half():
    assert verification(torch.tensor([0.9, 0.8]), torch.tensor([0.1, 0.2, 0.3])) == (1.0, pytest.approx(0, abs=0.25))
    generator = torch.Generator().manual_seed(0)
    area, error = verification(*torch.rand(2, 4000, generator=generator))
    assert area == pytest.approx(0.5, abs=0.02)
    assert error == pytest.approx(0.5, abs=0.02)


def test_intersection_over_union_is_1_where_all_is_right_and_counts_what_is_wrong():
    truth = torch.arange(11).repeat(4)
    assert intersection_over_union(truth, truth).eq(1).all()
    found = truth.clone()
    found[:2] = 1  # one background pixel of four is called skin
    assert intersection_over_union(found, truth)[:2].tolist() == [3 / 4, 4 / 5]


def test_distances_are_in_pixels():
    truth = torch.zeros(1, 9, 2)
    points = torch.tensor([3.0, 4.0]).repeat(1, 9)
    torch.testing.assert_close(distances(points, truth), torch.full((1, 9), 5.0))
