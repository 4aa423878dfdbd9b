"""Examples: a clean state, where there is one, and named columns."""

from __future__ import annotations

import pytest
import torch

from dsg.data.examples import Example, Examples
from dsg.errors import UserError


def test_a_batch_has_each_column_as_a_tensor_or_as_texts():
    one = Example(torch.zeros(3, 2, 2), {"label": 1, "prompt": "a", "weight": 0.5, "mask": torch.ones(2, 2)})
    two = Example(torch.ones(3, 2, 2), {"label": 2, "prompt": "b", "weight": 1, "mask": torch.zeros(2, 2)})
    batch = Examples.of([one, two])
    assert len(batch) == 2
    assert batch["image"].shape == (2, 3, 2, 2)
    assert batch["label"].dtype == torch.int64
    assert batch["prompt"] == ["a", "b"]
    assert batch["weight"].tolist() == [0.5, 1.0]
    assert batch["mask"].shape == (2, 2, 2)


def test_an_image_may_be_absent():
    batch = Examples.of([Example(None, {"prompt": "a"}), Example(None, {"prompt": "b"})])
    assert len(batch) == 2
    assert "image" not in batch
    assert "prompt" in batch


def test_texts_stay_where_they_are_when_the_rest_moves():
    batch = Examples(torch.zeros(1, 2), {"label": torch.tensor([1]), "prompt": ["a"]}).to("meta")
    assert batch["image"].device.type == batch["label"].device.type == "meta"
    assert batch["prompt"] == ["a"]


@pytest.mark.parametrize(("name", "words"), [("prompt", "texts there"), ("depth", "no such column")])
def test_a_column_that_holds_no_numbers_is_refused_by_name(name, words):
    with pytest.raises(UserError, match=f"{name}.*{words}"):
        Examples(torch.zeros(1, 2), {"prompt": ["a"]}).tensor(name)


def test_a_batch_where_some_alone_have_an_image_is_refused():
    with pytest.raises(UserError, match="some examples have an image and others none"):
        Examples.of([Example(torch.zeros(2)), Example(None)])
