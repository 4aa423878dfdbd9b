"""Networks of EDM and EDM2 answer what the published code answers, at every architecture that was recorded."""

import json
from pathlib import Path

import pytest
import torch

from dsg.errors import UserError
from dsg.models.edm.attention import attend
from dsg.models.edm.build import NETWORKS, build
from dsg.models.edm.layers import Conv2d
from dsg.models.edm.magnitude import MPConv, mp_cat, mp_silu, mp_sum, normalize
from tests.models.edm_networks import answers, with_formula

RECORDED = json.loads((Path(__file__).parents[1] / "data/edm/outputs.json").read_text())
SMALL = {"img_resolution": 8, "img_channels": 3, "label_dim": 0, "model_channels": 8, "num_blocks": 1}


@pytest.mark.parametrize("name", RECORDED)
def test_every_architecture_answers_as_recorded(name):
    """VP hears c_noise up to 999, and float32 leaves 4 digits of it."""
    recorded = RECORDED[name]
    found = answers(with_formula(recorded["class_name"], **recorded["init_kwargs"]))
    for what, values in found.items():
        largest = max(1.0, max(map(abs, recorded[what])))
        assert max(abs(a - b) for a, b in zip(values, recorded[what], strict=True)) < 2e-5 * largest, what


def test_queries_keys_and_values_are_interleaved_channel_by_channel():
    """Two heads of two channels, of which the values alone differ: attention to equal keys is their mean."""
    qkv = torch.zeros(1, 12, 1, 3)
    values = torch.arange(12.0).reshape(1, 4, 1, 3)
    qkv[:, 2::3] = values
    torch.testing.assert_close(attend(qkv, 2), values.mean(3, keepdim=True).expand(-1, -1, -1, 3))


@pytest.mark.parametrize("f", [(1, 1), (1, 3, 3, 1)])
def test_resampling_keeps_a_constant_picture_away_from_its_border(f):
    constant = torch.full((1, 3, 12, 12), 0.7)
    for up, size in ((True, 24), (False, 6)):
        layer = Conv2d(3, 3, 0, up=up, down=not up, resample_filter=f)
        assert layer(constant).shape == (1, 3, size, size)
        assert (layer(constant)[..., 2:-2, 2:-2] - 0.7).abs().max() < 1e-6


def test_magnitude_preserving_layers_preserve_the_magnitude_of_noise():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 4, 32, 24, 24, generator=generator)
    for made in (mp_sum(a, b, 0.3), mp_cat(a, b, 0.3), mp_silu(a), normalize(5.0 * a, dim=1)):
        assert made.square().mean().sqrt() == pytest.approx(1.0, abs=0.02)
    layer = MPConv(32, 64, [3, 3]).requires_grad_(False)
    layer.weight.mul_(17.0)
    assert layer(a)[..., 1:-1, 1:-1].square().mean().sqrt() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(("model_type", "eps"), [("SongUNet", 1e-6), ("DhariwalUNet", 1e-5)])
def test_each_family_has_its_own_eps_in_all_of_its_norms(model_type, eps):
    network = NETWORKS["EDMPrecond"](**SMALL, model_type=model_type, attn_resolutions=[8])
    assert {module.eps for module in network.modules() if isinstance(module, torch.nn.GroupNorm)} == {eps}


def test_attention_of_adm_is_absent_below_64_channels():
    names = NETWORKS["EDMPrecond"](**SMALL, attn_resolutions=[8]).state_dict()
    assert not [name for name in names if "qkv" in name]


@pytest.mark.parametrize(
    ("class_name", "options", "said"),
    [
        ("Unheard", {}, "known are EDMPrecond, VPPrecond, VEPrecond, iDDPMPrecond, Precond"),
        ("EDMPrecond", {"model_type": "Other"}, "model_type must be SongUNet or DhariwalUNet, got 'Other'"),
        ("EDMPrecond", {"model_type": "SongUNet", "encoder_type": "skip"}, "encoder_type must be standard or residual"),
        ("EDMPrecond", {"model_type": "SongUNet", "decoder_type": "skip"}, "decoder_type must be standard, got 'skip'"),
        ("EDMPrecond", {"unheard_of": 1}, "unheard_of"),
        ("EDMPrecond", {"channel_mult": []}, "cannot be built"),
        ("EDMPrecond", {"num_blocks": 10**9}, "the number 1000000000"),
        ("EDMPrecond", {"channel_mult": "12"}, "cannot be built"),
        ("EDMPrecond", {"img_channels": 0}, "cannot be built"),
        ("Precond", {"model_channels": -4}, "cannot be built"),
    ],
)
def test_arguments_of_no_network_are_refused_in_one_line(class_name, options, said):
    with pytest.raises(UserError) as error:
        build(class_name, (), SMALL | options, "checkpoint here.pkl")
    assert said in str(error.value)
    assert str(error.value).startswith("checkpoint here.pkl: ")
    assert "\n" not in str(error.value)
