"""Which portraits each training sees: what is judged by one network is not what another learned to follow from."""

from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.portraits import (
    train,
    train_attribute_judge,
    train_classifier,
    train_discriminator,
    train_long_tail,
    train_twins,
)
from dsg.data.portraits import HELD_OUT_START


def test_no_portrait_is_learned_from_twice_but_by_models_of_the_same_world_and_none_is_held_out():
    ranges = [(0, train.OTHERS_START), (train_long_tail.FIRST, train_long_tail.LAST)]
    ranges += [(train_classifier.CALIBRATION_START, train_classifier.CALIBRATION_START + 4000)]
    ranges += [(start, start + 24_000) for _, start, *_ in train_classifier.ROLES.values()]
    ranges += [(start, start + 8000) for start in train_twins.FIRST.values()]
    ranges += [(train_discriminator.TRAINING_START, train_discriminator.TRAINING_START + 5000)]
    ranges += [(train_attribute_judge.TRAINING_START, train_attribute_judge.TRAINING_START + 30_000)]
    ranges += [(train_attribute_judge.CALIBRATION_START, train_attribute_judge.CALIBRATION_START + 4000)]
    ordered = sorted(ranges)
    assert all(before[1] <= after[0] for before, after in pairwise(ordered))
    assert ordered[-1][1] <= HELD_OUT_START


def test_a_training_in_many_starts_ends_before_the_portraits_of_others(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train", "--out", str(tmp_path), "--pictures", str(train.OTHERS_START + 1)])
    with pytest.raises(SystemExit, match="would reach those that judges learn from, from 400000 on"):
        train.train(train.arguments())
