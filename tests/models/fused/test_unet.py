"""A fused network is the network, up to rounding, and what cannot be fused is named."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel

from dsg.models.adm.network import ADMOptions, build_adm_network
from dsg.models.fused import NotFusible, fuse, why_not
from dsg.models.portraits.network import build_network

SMALL = {"sample_size": 16, "in_channels": 3, "out_channels": 3, "layers_per_block": 1, "norm_num_groups": 8}
TINY = {"image_size": 16, "num_channels": 32, "channel_mult": "1,2", "attention_resolutions": "8"}


def diffusers_network(**options):
    return UNet2DModel(**SMALL | {"block_out_channels": (16, 32), "attention_head_dim": 8} | options)


# a network of another build joins by a line
NETWORKS = {
    "adm": lambda: build_adm_network(ADMOptions(**TINY, num_head_channels=32)),
    "adm with classes": lambda: build_adm_network(ADMOptions(**TINY, num_head_channels=32, class_cond=True)),
    "adm of convolutions": lambda: build_adm_network(ADMOptions(**TINY, resblock_updown=False)),
    "adm that adds the timestep": lambda: build_adm_network(ADMOptions(**TINY, use_scale_shift_norm=False)),
    "portraits": build_network,
    "ddpm": lambda: diffusers_network(
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        downsample_padding=0, layers_per_block=2,
    ),
    "no attention": lambda: diffusers_network(
        down_block_types=("DownBlock2D", "ResnetDownsampleBlock2D"),
        up_block_types=("ResnetUpsampleBlock2D", "UpBlock2D"), add_attention=False,
    ),
    "classes as timesteps": lambda: diffusers_network(
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
        class_embed_type="timestep",
    ),
}  # fmt: skip


def made(name):
    """With weights and biases that all matter."""
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.2) if weight.ndim == 1 else None
    return network.requires_grad_(False)


def answers(call, network):
    """The answer to a batch of two and its gradient to the input."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 16, 16, generator=generator).requires_grad_()
    labels = None if network.class_embedding is None else torch.tensor([1, 2])
    output = call(x, torch.tensor([37.0, 950.0]), labels)
    output = getattr(output, "sample", output).float()
    (gradient,) = torch.autograd.grad((output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum(), x)
    return output.detach(), gradient


def apart(found, expected):
    return [((one - other).norm() / other.norm()).item() for one, other in zip(found, expected, strict=True)]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_fused_network_answers_as_the_network_does_and_so_does_its_gradient(name):
    network = made(name)
    expected = answers(network, network)
    assert max(apart(answers(fuse(network, torch.float32), network), expected)) < 1e-5
    assert max(apart(answers(fuse(network, torch.bfloat16), network), expected)) < 0.03


def test_blocks_that_are_computed_again_give_the_same_numbers_and_keep_less():
    network = made("adm")

    def answered(recomputed):
        fused, kept = fuse(network, torch.float32), []
        fused.recomputed = recomputed
        with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
            return answers(fused, network), sum(kept)

    (plain, most), (finest, less), (all_of_them, least) = (answered(count) for count in (0, 1, 2))
    assert least < less < most
    for found in (finest, all_of_them):
        assert all(torch.equal(one, other) for one, other in zip(found, plain, strict=True))


def test_no_weight_requires_a_gradient_and_the_networks_own_stay_as_they_are():
    network = made("adm")
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    fused = fuse(network, torch.bfloat16)
    assert not any(weight.requires_grad for weight in fused.parameters())
    assert {w.dtype for w in fused.parameters()} == {torch.float32, torch.bfloat16}
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (lambda: torch.nn.Linear(2, 2), "Linear"),
        (lambda: diffusers_network(
            down_block_types=("SkipDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D")
        ), "block SkipDownBlock2D"),
        (lambda: diffusers_network(
            down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"), act_fn="relu"
        ), "ResnetBlock2D with ReLU"),
        (lambda: diffusers_network(
            down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
            mid_block_scale_factor=2.0,
        ), "output_scale_factor"),
    ],
)  # fmt: skip
def test_what_of_a_network_no_fused_block_computes_is_named(network, named):
    made = network()
    assert named in (why_not(made) or "")
    with pytest.raises(NotFusible, match=named):
        fuse(made, torch.float32)
