"""Held-out portraits bring what is true of them as columns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dsg.data.examples import IMAGE, LABEL, LANDMARKS, PROMPT, SEGMENTATION, STYLE, VARIATION, Examples
from dsg.data.held_out import STYLE_OFFSET, TRUTHS, HeldOutPortraits
from dsg.data.portraits import ATTRIBUTES, CLASSES, HELD_OUT_START, render
from dsg.errors import UserError


def test_every_truth_is_that_of_the_picture():
    data = HeldOutPortraits(first=5, limit=1, columns=TRUTHS)
    assert data.columns() == {IMAGE, *TRUTHS}
    columns = data.load(data.image_ids()[0]).columns
    index = HELD_OUT_START + 5
    portrait = render(index)
    assert np.array_equal(columns[VARIATION], render(index, variation=1).image)
    assert np.array_equal(columns[STYLE], render(index + STYLE_OFFSET).image)
    assert np.array_equal(columns[SEGMENTATION], portrait.segmentation)
    assert np.array_equal(columns[LANDMARKS], portrait.landmarks)


def test_labels_and_captions_stand_beside_the_truths_that_are_asked_for():
    data = HeldOutPortraits(limit=2, labels=True, captions=True, columns=[SEGMENTATION])
    assert data.columns() == {IMAGE, LABEL, PROMPT, SEGMENTATION}
    examples = [data.load(image_id) for image_id in data.image_ids()]
    assert set(examples[1].columns) == {LABEL, PROMPT, SEGMENTATION}
    parts = Examples.of(examples).tensor(SEGMENTATION)
    assert parts.shape == (2, 64, 64)
    assert parts.dtype == torch.int64


def test_portraits_are_divided_by_class_and_by_trait_whatever_the_examples_hold():
    data = HeldOutPortraits(limit=3)
    columns = data.cell_columns()
    assert {"label", "glasses", "beard", "hat", "hair", "background"} <= columns.keys()
    for image_id in data.image_ids():
        portrait = render(int(image_id))
        assert columns["label"][image_id] == CLASSES[portrait.label]
        assert portrait.attributes[ATTRIBUTES.index(f"hat={columns['hat'][image_id]}")] == 1


def test_columns_that_there_are_not_are_refused_with_those_that_there_are():
    with pytest.raises(UserError, match=r"^data.columns: there is no 'mask'; take some of variation, style, segm"):
        HeldOutPortraits(columns=["variation", "mask"])
    with pytest.raises(UserError, match=r"`labels` and `captions` are options"):
        HeldOutPortraits(columns=["labels"])
