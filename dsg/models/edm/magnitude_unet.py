"""EDM2's network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dsg.models.edm.magnitude import MPConv, MPFourier, mp_cat, mp_silu, mp_sum
from dsg.models.edm.magnitude_block import Block
from dsg.models.edm.plan import Place
from dsg.models.edm.unet import UNet


class MagnitudeUNet(UNet):
    """Karras et al. 2024 (2312.02696), configuration G; `UNet` in its own files. The arguments are the published ones.

    Args:
        img_resolution: height and width of the states.
        img_channels: channels of the states.
        label_dim: number of classes; 0 is unconditional.
        model_channels: base width.
        channel_mult: width of each resolution in base widths, finest first.
        channel_mult_noise: width of the noise level's embedding in base widths; null is that of the first resolution.
        channel_mult_emb: width of the whole embedding in base widths; null is that of the widest resolution.
        num_blocks: residual blocks a resolution.
        attn_resolutions: sizes at which there is attention.
        label_balance: the class's share of its sum with the noise level.
        concat_balance: the share of what the encoder kept, where it joins the main path.
        channels_per_head: width of an attention's head.
        dropout: of the training.
        res_balance: a residual branch's share.
        attn_balance: an attention's share.
        clip_act: largest magnitude of a feature.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int,
        model_channels: int = 192,
        channel_mult: Sequence[int] = (1, 2, 3, 4),
        channel_mult_noise: int | None = None,
        channel_mult_emb: int | None = None,
        num_blocks: int = 3,
        attn_resolutions: Sequence[int] = (16, 8),
        label_balance: float = 0.5,
        concat_balance: float = 0.5,
        channels_per_head: int = 64,
        dropout: float = 0.0,
        res_balance: float = 0.3,
        attn_balance: float = 0.3,
        clip_act: float = 256.0,
    ) -> None:
        super().__init__()
        self.label_balance, self.concat_balance = label_balance, concat_balance
        widths = [model_channels * m for m in channel_mult]
        noise = widths[0] if channel_mult_noise is None else model_channels * channel_mult_noise
        told = max(widths) if channel_mult_emb is None else model_channels * channel_mult_emb
        self.emb_fourier, self.emb_noise = MPFourier(noise), MPConv(noise, told, [])
        self.emb_label = MPConv(label_dim, told, []) if label_dim else None

        def block(place: Place, encodes: bool) -> Block:
            attends = place.attends(attn_resolutions)
            return Block(
                place.inputs, place.outputs, told, "enc" if encodes else "dec", place.resample, attends,
                channels_per_head, dropout, res_balance, attn_balance, clip_act,
            )  # fmt: skip

        stem = MPConv(img_channels + 1, widths[0], [3, 3])
        self.build(img_resolution, stem, widths[0], widths, num_blocks, block)
        self.out_conv = MPConv(widths[0], img_channels, [3, 3])
        self.out_gain = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None, augment: Tensor | None = None) -> Tensor:
        """(B, img_channels, n, n), (B,), (B or 1, label_dim) → (B, img_channels, n, n)."""
        e = self.emb_noise(self.emb_fourier(c_noise).to(x.dtype))
        if self.emb_label is not None:
            assert labels is not None, "the preconditioning gives them"
            told = self.emb_label(labels.to(e.dtype) * labels.shape[1] ** 0.5)
            e = mp_sum(e, told.expand_as(e), self.label_balance)
        x = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)  # in the place of biases
        return self.out_conv(self.run(x, mp_silu(e)), gain=self.out_gain.float())

    def joined(self, x: Tensor, kept: Tensor) -> Tensor:
        return mp_cat(x, kept, self.concat_balance)
