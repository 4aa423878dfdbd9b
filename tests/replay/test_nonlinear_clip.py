"""Records of CLIP's losses are taken again: here of a tiny one, whose numbers another computation gave."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from dsg.replay.nonlinear.clip import published_shapes
from dsg.replay.nonlinear.compare import compare
from dsg.replay.nonlinear.rule import state_by_rule
from tasks.features import CLIP as COLOURS
from tasks.features import Resize
from tests.tasks.networks import tiny_clip as tiny

pytest.importorskip("transformers")
SIZE = 64


@pytest.fixture
def record(tmp_path):
    """The picture, a state dict of the rule, and how a record of these and more is written."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tiny.openai_state().items()}
    (tmp_path / "clip_vit_b16.json").write_text(json.dumps(shapes))
    small = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)).mul(2).sub(1).half()
    image = functional.interpolate(small[None].double(), (SIZE, SIZE), mode="bilinear").requires_grad_()

    def write(name, **numbers):
        kept = {key: value.detach().clone().contiguous() for key, value in numbers.items()}
        save_file({"image64": small, **kept}, tmp_path / f"{name}.safetensors")
        return compare(tmp_path / f"{name}.safetensors")

    return image, {n: t.double() for n, t in state_by_rule(shapes).items()}, write


def seen(image):
    return COLOURS(Resize(tiny.SIDE, "bicubic")(image))


def gram(state, image, blocks):
    tokens = tiny.image_features(state, seen(image), blocks)[0, 1:]
    return tokens.mT @ tokens


def test_a_record_of_style_is_met_and_a_wrong_number_is_found(record):
    image, state, write = record
    coarse = torch.randint(0, 256, (SIZE, SIZE, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    reference = Resize(SIZE)(coarse.permute(2, 0, 1)[None].double() / 255 * 2 - 1)
    loss = (gram(state, image, 2) - gram(state, reference, 2)).norm()[None] / 100
    (gradient,) = torch.autograd.grad(loss.sum(), image)
    numbers = {"ref_coarse": coarse, "loss_f64": loss, "loss": loss.float(), "grad_sub16": gradient[..., ::16, ::16]}
    assert [(d.what, d.passes()) for d in write("clip_style_block2", **numbers)] == [
        ("grad_sub16", True),
        ("loss", True),
    ]
    assert [d.passes() for d in write("clip_style_block2", **{**numbers, "loss_f64": 1.001 * loss})] == [True, False]


def test_a_record_of_text_is_met_whatever_follows_the_end_of_the_text(record):
    image, state, write = record
    ids = torch.tensor([[52, 3, 4, 53, *[0] * 12], [52, 9, 53, *[0] * 13]])
    told, told_of = tiny.text_features(state, ids), tiny.image_features(state, seen(image))
    loss = (told[:1] - told_of).norm()[None]
    (gradient,) = torch.autograd.grad(loss.sum(), image)
    cosine = functional.cosine_similarity(told[:1], told_of)
    numbers = {"token_ids": ids, "text_embeddings": told, "image_embedding": told_of, "cosine": cosine, "loss": loss}
    found = write("clip_text", **numbers, grad_sub8=gradient[..., ::8, ::8])
    assert len(found) == 5
    assert all(deviation.passes() for deviation in found)


def test_without_a_list_of_names_they_are_those_of_vit_b_16():
    shapes = published_shapes()
    assert len(shapes) == 302
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 149_620_737
    assert all(one != other for one, other in pairwise(shapes))
