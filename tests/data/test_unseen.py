"""Portraits of unseen worlds differ from those that were trained on in what they are named for, and in nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dsg.data.examples import LABEL, LANDMARKS, SEGMENTATION, STYLE, VARIATION
from dsg.data.held_out import STYLE_OFFSET, HeldOutPortraits
from dsg.data.portraits import HELD_OUT_START, UNSEEN, render
from dsg.data.portraits.attributes import IDENTITY_KINDS, draw_traits
from dsg.data.portraits.unseen import NUMBERS, unseen
from dsg.errors import UserError

TRAITS = [draw_traits(index) for index in range(200)]


def test_without_a_world_every_trait_is_as_it_was():
    assert all(unseen(traits, ()) == traits for traits in TRAITS)
    assert np.array_equal(render(3, worlds=()).image, render(3).image)


@pytest.mark.parametrize("world", NUMBERS)
def test_every_number_of_a_world_lies_beyond_its_range_on_the_side_where_it_was(world):
    for traits in TRAITS:
        changed = vars(unseen(traits, [world]))
        for name, value in vars(traits).items():
            if name in NUMBERS[world]:
                assert changed[name] >= 1 if value >= 0.5 else changed[name] < 0
                assert -0.5 <= changed[name] <= 1.5
            else:
                assert changed[name] == value


def test_every_dye_is_one_that_no_training_has_and_all_else_stays():
    dyes = set()
    for traits in TRAITS:
        changed = vars(unseen(traits, ["dyes"]))
        dyes.add(changed["dye"])
        assert changed | {"dye": traits.dye} == vars(traits)
    assert len(dyes) == 3
    assert not dyes & set(IDENTITY_KINDS["dye"])


@pytest.mark.parametrize("world", UNSEEN)
def test_the_data_of_a_world_has_the_ids_and_classes_of_the_seen_ones_and_other_pictures(world):
    seen, shifted = (HeldOutPortraits(limit=3, labels=True, unseen=worlds) for worlds in ((), (world,)))
    assert seen.keys() == shifted.keys()
    for image_id in seen.image_ids():
        one, other = seen.load(image_id), shifted.load(image_id)
        assert one.columns[LABEL] == other.columns[LABEL]
        assert (one.image - other.image).abs().mean() > 0.01


def test_every_truth_is_that_of_the_world():
    truths = (VARIATION, STYLE, SEGMENTATION, LANDMARKS)
    data = HeldOutPortraits(limit=1, columns=truths, unseen=UNSEEN)
    found, portrait = data.load(data.image_ids()[0]), render(HELD_OUT_START, worlds=UNSEEN)
    assert torch.equal(found.image, torch.from_numpy(portrait.image))
    assert np.array_equal(found.columns[SEGMENTATION], portrait.segmentation)
    assert np.array_equal(found.columns[LANDMARKS], portrait.landmarks)
    assert np.array_equal(found.columns[VARIATION], render(HELD_OUT_START, 1, UNSEEN).image)
    assert np.array_equal(found.columns[STYLE], render(HELD_OUT_START + STYLE_OFFSET, worlds=UNSEEN).image)


def test_worlds_that_there_are_not_and_captions_of_unseen_ones_are_refused():
    with pytest.raises(UserError, match=r"^data\.unseen: there is no 'night'; take some of dyes, lights, poses$"):
        HeldOutPortraits(unseen=["dyes", "night"])
    with pytest.raises(UserError, match=r"^data\.captions: captions have no words for unseen worlds; leave"):
        HeldOutPortraits(unseen=["dyes"], captions=True)
