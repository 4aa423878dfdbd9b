"""Recorded losses that are networks, with weights by the rule, are ours.

The records in tests/data/nonlinear are what the official codes of DSG, FreeDoM, DiffRGD and Universal Guidance gave in
float64; no weights are kept, since both sides draw them by the rule.
"""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dsg.errors import UserError
from dsg.replay.__main__ import main
from dsg.replay.nonlinear.bilinear8 import resized
from dsg.replay.nonlinear.compare import compare, records_at
from dsg.replay.nonlinear.read import Record
from dsg.replay.nonlinear.rule import by_rule, normal, state_by_rule
from dsg.replay.record import read_record
from tasks.networks.mobilefacenet import LandmarkNet, MobileFaceNet

RECORDS = Path(__file__).parents[1] / "data" / "nonlinear"
LANDMARK = RECORDS / "landmark.safetensors"


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("landmark", 8),
        pytest.param("arcface", 5, marks=pytest.mark.slow),
        pytest.param("bisenet", 9, marks=pytest.mark.slow),
        pytest.param("sketch", 4, marks=pytest.mark.slow),
        pytest.param("ugd_segmentation", 6, marks=pytest.mark.slow),
    ],
)
def test_features_losses_and_gradients_are_the_official_codes(name, numbers):
    found = compare(RECORDS / f"{name}.safetensors")
    assert [deviation for deviation in found if not deviation.passes()] == []
    assert len(found) == numbers


def test_the_rule_says_what_a_tensor_is_from_its_name_and_shape():
    shapes = {
        "conv.weight": (4, 3, 2, 2),
        "norm.weight": (500,),
        "norm.bias": (500,),
        "norm.running_var": (500,),
        "norm.num_batches_tracked": (),
        "prelu.weight": (500,),
        "token_embedding.weight": (50, 10),
        "logit_scale": (),
    }
    state = state_by_rule(shapes, gain=2.0, gains={"conv.weight": 3.0})
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == shapes
    torch.testing.assert_close(state["conv.weight"], normal("conv.weight", (4, 3, 2, 2)) * 6 / 12**0.5)
    torch.testing.assert_close(state["norm.weight"], 1 + 0.1 * normal("norm.weight", (500,)))
    torch.testing.assert_close(state["prelu.weight"], 0.25 + 0.05 * normal("prelu.weight", (500,)))
    torch.testing.assert_close(state["token_embedding.weight"], 0.3 * normal("token_embedding.weight", (50, 10)))
    assert (state["norm.running_var"] >= 1).all()
    assert (state["norm.num_batches_tracked"].item(), state["norm.num_batches_tracked"].dtype) == (0, torch.int64)
    assert state["logit_scale"].item() == pytest.approx(4.6052)
    seeded = np.random.default_rng(zlib.crc32(b"conv.weight")).standard_normal((4, 3, 2, 2), dtype=np.float32)
    assert np.array_equal(normal("conv.weight", (4, 3, 2, 2)).numpy(), seeded)


def test_a_list_of_names_beside_the_record_has_to_be_the_network_s():
    with pytest.raises(UserError, match="unknown: head"):
        by_rule(LandmarkNet, MobileFaceNet, shapes={"head.weight": (2, 2)})


def test_a_picture_is_enlarged_as_opencv_does_in_whole_numbers():
    pixels = np.array([[[0], [255]], [[255], [0]]], dtype=np.uint8)
    assert resized(pixels, 4)[..., 0].tolist() == [
        [0, 64, 191, 255], [64, 96, 159, 191], [191, 159, 96, 64], [255, 191, 64, 0],
    ]  # fmt: skip
    assert np.array_equal(resized(pixels, 2), pixels)


def altered(tmp_path, name="landmark", **changes):
    tensors, metadata = read_record(LANDMARK)
    for key, value in changes.items():
        tensors[key] = value(tensors.get(key))
    save_file(
        {key: tensor for key, tensor in tensors.items() if tensor is not None},
        tmp_path / f"{name}.safetensors",
        metadata,
    )
    return tmp_path / f"{name}.safetensors"


def test_the_table_shows_each_number_and_one_that_differs_is_beyond_the_tolerance(tmp_path, capsys):
    changed = altered(tmp_path, loss_f64=lambda loss: loss * (1 + 1e-5), other=lambda _: torch.zeros(2))
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.count("!") == 2
    assert "other, which ours do not make" in printed
    assert "ref_landmarks_if_rgb" in printed
    assert main([str(changed), "--tolerance", "2e-5"]) == 1


def test_a_record_is_told_by_the_beginning_of_its_name_and_one_without_its_inputs_is_refused(tmp_path, capsys):
    other = altered(tmp_path, "landmark_of_others", face_box=lambda _: None)
    assert records_at(tmp_path) == [other]
    assert main([str(other)]) == 2
    assert "face_box is missing" in capsys.readouterr().err
    assert records_at(RECORDS) == sorted(RECORDS.glob("*.safetensors"))


def test_the_reference_is_shrunk_with_antialias_and_rounded_to_eight_bits():
    record = Record.of(LANDMARK)
    small = (record.reference(8) + 1) * 127.5
    torch.testing.assert_close(small, small.round(), atol=1e-9, rtol=0)
    coarse = record["ref_coarse"].permute(2, 0, 1)[None].float()
    filtered = nn.functional.interpolate(coarse, (8, 8), mode="bilinear", antialias=True)
    assert (small - filtered).abs().max() < 1
