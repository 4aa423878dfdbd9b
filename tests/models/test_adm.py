"""The published checkpoints' networks give the numbers that guided-diffusion gives."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dsg.data.examples import Examples
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.models.adm import ADM
from dsg.models.adm.convert import _sources
from dsg.models.adm.in_weights import advice, options_in
from dsg.models.adm.network import ADMOptions, build_adm_network
from dsg.models.engines import Plain

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
TINY = {
    "image_size": 16,
    "num_channels": 32,
    "channel_mult": "1,2",
    "attention_resolutions": "8",
    "num_head_channels": 16,
}


def recorded(name: str, **changes) -> ADM:
    options = json.loads((GOLDEN / name / "config.json").read_text())
    for of_the_training in ("use_fp16", "use_checkpoint"):
        options.pop(of_the_training)
    return ADM(**{"checkpoint": str(GOLDEN / name / "model.pt"), **options, **changes})


def guided_diffusion_state(model: ADM, options: ADMOptions) -> dict[str, torch.Tensor]:
    """The inverse of the conversion, written out by execution order for a two-level network with attention below."""
    residual = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
    updown = "" if options.resblock_updown else None
    blocks = {
        "down_blocks.0.resnets.0": "input_blocks.1.0",
        "down_blocks.0.downsamplers.0": "input_blocks.2.0" if updown == "" else "input_blocks.2.0.op",
        "down_blocks.1.resnets.0": "input_blocks.3.0",
        "down_blocks.1.attentions.0": "input_blocks.3.1",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
        "up_blocks.0.resnets.0": "output_blocks.0.0",
        "up_blocks.0.attentions.0": "output_blocks.0.1",
        "up_blocks.0.resnets.1": "output_blocks.1.0",
        "up_blocks.0.attentions.1": "output_blocks.1.1",
        "up_blocks.0.upsamplers.0": "output_blocks.1.2" if updown == "" else "output_blocks.1.2.conv",
        "up_blocks.1.resnets.0": "output_blocks.2.0",
        "up_blocks.1.resnets.1": "output_blocks.3.0",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
    }
    source, state = model.network.state_dict(), {}
    for ours, theirs in blocks.items():
        for name in [n for n in source if n.startswith(ours + ".")]:
            part, kind = name[len(ours) + 1 :].rpartition(".")[::2]
            tail = 1 if kind == "weight" else 0
            if part in ("", "conv"):
                state[f"{theirs}.{kind}"] = source[name]
            elif part in residual:
                state[f"{theirs}.{residual[part]}.{kind}"] = source[name]
            elif part == "group_norm":
                state[f"{theirs}.norm.{kind}"] = source[name]
            elif part == "to_out.0":
                state[f"{theirs}.proj_out.{kind}"] = source[name].reshape(*source[name].shape, *[1] * tail)
            elif part == "to_q":
                q, k, v = (source[f"{ours}.to_{p}.{kind}"] for p in "qkv")
                if options.use_new_attention_order:
                    rows = torch.cat([q, k, v])
                else:
                    heads = options.heads(len(q), upsampling=ours.startswith("up"))
                    rows = torch.stack([p.reshape(heads, -1, *p.shape[1:]) for p in (q, k, v)], dim=1)
                    rows = rows.reshape(3 * len(q), *q.shape[1:])
                state[f"{theirs}.qkv.{kind}"] = rows.reshape(*rows.shape, *[1] * tail)
    return state


@pytest.mark.parametrize("name", ["adm_ffhq_style", "adm_imagenet_style"])
def test_recorded_outputs_of_guided_diffusion_are_reproduced(name):
    model, record = recorded(name), load_file(GOLDEN / name / "forward.safetensors")
    for i, t in enumerate(record["t"]):
        condition = record["class_labels"][i : i + 1] if "class_labels" in record else None
        seen = model(
            record["x"][i : i + 1],
            NoiseLevel.from_alpha_bar(float(t), 0.5),
            None if condition is None else ClassLabels(condition),
        )
        output = torch.cat([seen.epsilon, seen.variance_range], dim=1)
        torch.testing.assert_close(output, record["out"][i : i + 1], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"use_new_attention_order": True},
        {"resblock_updown": False},
        {"use_scale_shift_norm": False},
        {"num_head_channels": -1, "num_heads": 2, "num_heads_upsample": 4},
        {"learn_sigma": False},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_option_survives_the_round_trip_through_the_published_names(changes, tmp_path):
    options = {**TINY, **changes}
    model = ADM.random(**options)
    torch.save(guided_diffusion_state(model, ADMOptions(**options)), tmp_path / "model.pt")
    loaded = ADM(str(tmp_path / "model.pt"), **options)
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(tensor, loaded.network.state_dict()[name]), name
    x, level = (
        torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)),
        NoiseLevel.from_alpha_bar(400.0, 0.3),
    )
    torch.testing.assert_close(loaded(x, level).epsilon, model(x, level).epsilon)


def test_half_precision_weights_are_loaded_as_float32(tmp_path):
    state = torch.load(GOLDEN / "adm_ffhq_style" / "model.pt", weights_only=True)
    torch.save({name: tensor.half() for name, tensor in state.items()}, tmp_path / "half.pt")
    model = recorded("adm_ffhq_style", checkpoint=str(tmp_path / "half.pt"))
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_gradient_reaches_the_input_and_no_weight():
    model = recorded("adm_ffhq_style")
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    model(x, NoiseLevel.from_alpha_bar(10.0, 0.9)).epsilon.square().sum().backward()
    assert x.grad.norm() > 0
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("channels_last", [False, True])
def test_bfloat16_weights_are_called_in_bfloat16_and_answer_in_float32(channels_last):
    exact, model = recorded("adm_ffhq_style"), recorded("adm_ffhq_style", engine=Plain(channels_last))
    model.network.to(torch.bfloat16)
    x, level = (
        torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)),
        NoiseLevel.from_alpha_bar(10.0, 0.9),
    )
    output, reference = model(x, level).epsilon, exact(x, level).epsilon
    assert output.dtype == torch.float32
    assert (output - reference).norm() / reference.norm() < 0.05


def test_rescaled_timesteps_run_to_a_thousand():
    schedule = NoiseSchedule(num_timesteps=4000)
    torch.manual_seed(0)
    model = ADM.random(schedule=schedule, rescale_timesteps=True, **TINY)
    x = torch.zeros(1, 3, 16, 16)
    expected = model.network(x, torch.tensor([100.0])).sample
    seen = model(x, NoiseLevel.from_alpha_bar(400.0, 0.5))
    torch.testing.assert_close(torch.cat([seen.epsilon, seen.variance_range], 1), expected)


@pytest.mark.parametrize(
    ("name", "condition", "words"),
    [
        ("adm_ffhq_style", ClassLabels(torch.tensor([3])), "takes no condition"),
        ("adm_imagenet_style", None, "needs class labels"),
    ],
)
def test_a_condition_that_does_not_suit_the_network_is_refused(name, condition, words):
    with pytest.raises(UserError, match=words):
        recorded(name)(torch.zeros(1, 3, 32, 32), NoiseLevel.from_alpha_bar(10.0, 0.9), condition)


@pytest.mark.parametrize("label", [1000, -1])
def test_labels_that_are_no_classes_of_the_network_are_refused_before_the_first_step(label):
    examples = Examples(torch.zeros(2, 3, 32, 32), {"label": torch.tensor([3, label])})
    with pytest.raises(UserError, match=rf"knows the classes 0 to 999, got \[.*{label}"):
        recorded("adm_imagenet_style").condition(examples)


def test_options_of_another_network_are_refused_with_the_first_mismatches():
    with pytest.raises(UserError, match=r"model.pt does not fit .*missing: input_blocks.*unknown: .*another shape: "):
        recorded("adm_ffhq_style", num_res_blocks=2)


RECORDED = {"image_size": 32, "num_channels": 32, "channel_mult": "1,2", "num_head_channels": 32}


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"num_res_blocks": 2}, "num_res_blocks 1 (it is 2)"),
        ({"num_channels": 64}, "num_channels 32 (it is 64)"),
        ({"channel_mult": "1,1"}, "channel_mult '1,2' (it is '1,1')"),
        ({"channel_mult": "1,2,2"}, "channel_mult '1,2' (it is '1,2,2')"),
        ({"attention_resolutions": "32,16"}, "attention_resolutions '16' (it is '32,16')"),
        ({"attention_resolutions": ""}, "attention_resolutions '16' (it is '')"),
        ({"learn_sigma": False}, "learn_sigma true (it is false)"),
        ({"class_cond": True}, "class_cond false (it is true)"),
        ({"use_scale_shift_norm": False}, "use_scale_shift_norm true (it is false)"),
        ({"resblock_updown": False}, "resblock_updown true (it is false)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_the_option_that_the_weights_ask_for_is_named(given, advice):
    with pytest.raises(UserError, match=rf"does not fit.*; its weights ask for {re.escape(advice)}$"):
        ADM(str(GOLDEN / "adm_ffhq_style" / "model.pt"), **{**RECORDED, **given})


@pytest.mark.parametrize(
    "changes", [{}, {"resblock_updown": False}, {"num_res_blocks": 2, "channel_mult": "1,1,2"}], ids=str
)
def test_the_weights_show_every_option_that_shapes_them(changes):
    options = ADMOptions(**{**TINY, "num_res_blocks": 1, **changes})
    with torch.device("meta"):
        network = build_adm_network(options)
    named = {
        source.name: torch.empty(source.shape, device="meta") for source in _sources(network.state_dict(), options)
    }
    seen = options_in(named, options.image_size)
    assert seen == {name: getattr(options, name) for name in seen}
    assert advice(named, options) == ""


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("label_emb.weight", (10, 128), "10 classes"),
        ("input_blocks.0.0.weight", (32, 6, 3, 3), "takes 6 channels"),
        ("conv_in.weight", (32, 3, 3, 3), "names of diffusers"),
    ],
)
def test_a_network_that_no_option_describes_is_said(tmp_path, name, shape, words):
    state = torch.load(GOLDEN / "adm_ffhq_style" / "model.pt", weights_only=True)
    torch.save({**state, name: torch.zeros(shape)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match=words):
        ADM(str(tmp_path / "other.pt"), **RECORDED)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"channel_mult": ""}, "channel_mult"),
        ({"attention_resolutions": "7"}, "attention_resolutions"),
        ({"num_head_channels": -1, "num_heads": 5}, "num_heads"),
        ({"num_channels": 30}, "multiples of 32"),
        ({"channel_mult": "1;2"}, "channel_mult"),
        ({"channel_mult": "1,nan"}, "channel_mult must be above 0"),
        ({"channel_mult": "-1,2"}, "channel_mult must be above 0"),
        ({"num_channels": 0}, "num_channels must be at least 1"),
        ({"num_res_blocks": 0}, "num_res_blocks must be at least 1"),
        ({"num_heads": 0}, "num_heads must be at least 1"),
        ({"num_head_channels": 0}, "num_head_channels must be at least 1, or -1"),
        ({"dropout": 2.0}, "dropout must be in"),
    ],
)
def test_impossible_options_are_named(changes, word):
    with pytest.raises(UserError, match=word):
        ADM.random(**{**TINY, **changes})


@pytest.mark.parametrize(
    ("options", "millions"),
    [
        ({"num_channels": 128, "num_res_blocks": 1, "attention_resolutions": "16"}, 93.6),
        ({"num_channels": 256, "num_res_blocks": 2, "attention_resolutions": "32,16,8"}, 552.8),
        ({"num_channels": 256, "num_res_blocks": 2, "attention_resolutions": "32,16,8", "class_cond": True}, 553.8),
        (
            {
                "image_size": 512,
                "num_channels": 256,
                "num_res_blocks": 2,
                "attention_resolutions": "32,16,8",
                "class_cond": True,
            },
            559,
        ),
    ],
)
def test_the_published_networks_have_their_published_sizes(options, millions):
    with torch.device("meta"):
        network = build_adm_network(ADMOptions(**options))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(
        millions, abs=0.05 if millions < 559 else 1
    )
