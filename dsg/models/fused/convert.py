"""From a `diffusers.UNet2DModel`, or a `UNet`, which is one too, to the same function in fused blocks."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dsg.errors import installed
from dsg.models.fused.blocks import Attention, Downsample, Norm, Resample, Residual, Upsample
from dsg.models.fused.convolution import Convolution, Shortcut
from dsg.models.fused.in_diffusers import in_diffusers
from dsg.models.fused.resample import pool, spread
from dsg.models.fused.unet import Block, Embedding, FusedUNet
from dsg.models.unet import UNet

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d import UNet2DModel


class NotFusible(Exception):
    """Says what of a network no fused block computes."""


def fuse(network: nn.Module, dtype: torch.dtype) -> FusedUNet:
    """The same function of (x, t[, labels]), its convolutions in `dtype` and channels-last, all else in float32.

    The weights are copied, and frozen; `network` stays as it is.

    Raises:
        NotFusible: if it is none of these, or of blocks that are not known here.
    """
    return _frozen(_fused(network), dtype)


def why_not(network: nn.Module) -> str | None:
    """What of a network no fused block computes; None if all of it is known."""
    try:
        _fused(network)
    except NotFusible as reason:
        return str(reason)
    return None


def _fused(network: nn.Module) -> FusedUNet:
    with installed("diffusers", "the engine Fused"):
        from diffusers.models.unets.unet_2d import UNet2DModel

    if isinstance(network, UNet):
        network = in_diffusers(network)
    if not isinstance(network, UNet2DModel):
        raise NotFusible(type(network).__name__)
    if network.config["center_input_sample"] or network.config["time_embedding_type"] == "fourier":
        raise NotFusible("center_input_sample, or time_embedding_type fourier")
    parts = _Parts(network.conv_in.out_channels)
    down = [blocks for block in network.down_blocks for blocks in parts.down(block)]
    middle = [] if network.mid_block is None else parts.middle(network.mid_block)
    up = [blocks for block in network.up_blocks for blocks in parts.up(block)]
    return FusedUNet(
        _embedding(network, parts.projections),
        Convolution(network.conv_in), down, middle, up,
        Norm(network.conv_norm_out), Convolution(network.conv_out),
    )  # fmt: skip


def _frozen(fused: FusedUNet, dtype: torch.dtype) -> FusedUNet:
    fused = copy.deepcopy(fused).float()
    for module in fused.modules():
        if isinstance(module, (Convolution, Attention, nn.ParameterList)):
            for name, weight in module.named_parameters(recurse=False):
                layout = torch.channels_last if weight.ndim == 4 else torch.preserve_format
                setattr(module, name, nn.Parameter(weight.detach().to(dtype, memory_format=layout)))
    return fused.eval().requires_grad_(False)


def _embedding(network: UNet2DModel, projections: Iterable[nn.Linear]) -> Embedding:
    label = network.class_embedding
    if label is not None and network.config["class_embed_type"] == "timestep":
        label = nn.Sequential(network.time_proj, label)
    return Embedding(nn.Sequential(network.time_proj, network.time_embedding), label, projections)


class _Parts:
    """Fused blocks of theirs, and the projections of the timestep in the order in which they were met."""

    def __init__(self, width: int) -> None:
        self.width = width  # of the feature maps after the last block
        self.projections: list[nn.Linear] = []

    def down(self, block: Any) -> list[list[Block]]:
        _check_kind(block, "DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D")
        rows = self._rows(block)
        rows += [[self._downsample(one)] for one in block.downsamplers or ()]
        return rows

    def middle(self, block: Any) -> list[Block]:
        _check_kind(block, "UNetMidBlock2D")
        blocks: list[Block] = [self.residual(block.resnets[0])]
        for attention, resnet in zip(block.attentions, block.resnets[1:], strict=True):
            blocks += [] if attention is None else [_attention(attention)]
            blocks.append(self.residual(resnet))
        return blocks

    def up(self, block: Any) -> list[list[Block]]:
        _check_kind(block, "UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D")
        rows = self._rows(block)
        rows[-1] += [self._upsample(one) for one in block.upsamplers or ()]
        return rows

    def _rows(self, block: Any) -> list[list[Block]]:
        attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
        rows: list[list[Block]] = []
        for resnet, attention in zip(block.resnets, attentions, strict=True):
            rows.append([self.residual(resnet), *([] if attention is None else [_attention(attention)])])
        return rows

    def _downsample(self, block: Any) -> Block:
        if hasattr(block, "norm1"):
            return self.residual(block)
        _check_kind(block, "Downsample2D")
        if not block.use_conv or block.norm is not None:
            raise NotFusible("Downsample2D without a convolution, or with a norm")
        self.width = block.out_channels
        return Downsample(Convolution(block.conv), pads=block.padding == 0)

    def _upsample(self, block: Any) -> Block:
        if hasattr(block, "norm1"):
            return self.residual(block)
        _check_kind(block, "Upsample2D")
        if not block.use_conv or block.norm is not None or block.use_conv_transpose or not block.interpolate:
            raise NotFusible("Upsample2D that is more than a doubling and a convolution")
        self.width = block.out_channels
        return Upsample(Convolution(block.conv), spread)

    def residual(self, block: Any) -> Residual:
        _check_kind(block, "ResnetBlock2D")
        if not isinstance(block.nonlinearity, nn.SiLU):
            raise NotFusible(f"ResnetBlock2D with {type(block.nonlinearity).__name__}")
        if block.output_scale_factor != 1 or block.skip_time_act or block.time_emb_proj is None:
            raise NotFusible("ResnetBlock2D with output_scale_factor, skip_time_act or without a timestep")
        self.projections.append(block.time_emb_proj)
        joined = block.in_channels - self.width  # channels of what was kept, on the way up
        widths, self.width = [self.width, joined] if joined else [self.width], block.out_channels
        last, short = Convolution(block.conv2), None
        if block.conv_shortcut is not None:
            short = Shortcut(block.conv_shortcut, widths)
            last.bias = nn.Parameter(last.bias + block.conv_shortcut.bias)
        return Residual(
            Norm(block.norm1), Convolution(block.conv1), Norm(block.norm2), last, short,
            scales=block.time_embedding_norm == "scale_shift",
            resample=_resampling(block),
        )  # fmt: skip


def _resampling(block: Any) -> Resample | None:
    for change, halves in ((block.downsample, True), (block.upsample, False)):
        if change is not None:
            if type(change).__name__ not in ("Downsample2D", "Upsample2D") or change.use_conv:
                raise NotFusible("ResnetBlock2D that changes the resolution by a filter")
            return pool if halves else spread
    return None


def _attention(block: Any) -> Attention:
    _check_kind(block, "Attention")
    plain = block.spatial_norm is None and block.norm_q is None and block.norm_k is None
    if block.group_norm is None or not block.residual_connection or block.rescale_output_factor != 1 or not plain:
        raise NotFusible("Attention of another form than x + attention(group norm of x)")
    qkv = nn.Linear(block.to_q.in_features, 3 * block.inner_dim)
    qkv.weight = nn.Parameter(torch.cat([matrix.weight for matrix in (block.to_q, block.to_k, block.to_v)]))
    qkv.bias = nn.Parameter(torch.cat([matrix.bias for matrix in (block.to_q, block.to_k, block.to_v)]))
    return Attention(Norm(block.group_norm, silu=False), qkv, Convolution(block.to_out[0]), block.heads)


def _check_kind(block: Any, *known: str) -> None:
    if (kind := type(block).__name__) not in known:
        raise NotFusible(f"block {kind}")
