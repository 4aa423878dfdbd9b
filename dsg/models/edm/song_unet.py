"""DDPM++ and NCSN++: the networks of Song et al. 2021, as EDM uses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from dsg.errors import UserError
from dsg.models.edm.layers import Conv2d, FourierEmbedding, PositionalEmbedding, group_norm, sines_first
from dsg.models.edm.plan import Place
from dsg.models.edm.unet import UNet
from dsg.models.edm.unet_block import UNetBlock


class SongUNet(UNet):
    """Song et al. 2021 (2011.13456); Karras et al. 2022 (2206.00364), table 7. The arguments are the published ones.

    DDPM++ is `positional` and `standard` with filter [1, 1]; NCSN++ is `fourier` and `residual` with [1, 3, 3, 1] and
    `channel_mult_noise` 2.

    Args:
        img_resolution: height and width of the images, in pixels.
        in_channels: channels of the input.
        out_channels: channels of the output.
        label_dim: number of classes; 0 is unconditional.
        augment_dim: length of the augmentation labels, which sampling leaves out.
        model_channels: base width.
        channel_mult: width of each resolution in base widths, finest first.
        channel_mult_emb: width of the embedding in base widths.
        num_blocks: residual blocks a resolution.
        attn_resolutions: sizes in pixels at which there is attention.
        dropout: of the training.
        label_dropout: of the training.
        embedding_type: of the noise level.
        channel_mult_noise: width of that embedding in base widths.
        encoder_type: `residual` carries the image down a path of its own.
        decoder_type: `standard`; nobody published another.
        resample_filter: of the resampling.

    Raises:
        UserError: for a type that no published network has.
    """

    def __init__(
        self,
        img_resolution: int,
        in_channels: int,
        out_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        model_channels: int = 128,
        channel_mult: Sequence[int] = (1, 2, 2, 2),
        channel_mult_emb: int = 4,
        num_blocks: int = 4,
        attn_resolutions: Sequence[int] = (16,),
        dropout: float = 0.10,
        label_dropout: float = 0.0,
        embedding_type: Literal["positional", "fourier"] = "positional",
        channel_mult_noise: int = 1,
        encoder_type: Literal["standard", "residual"] = "standard",
        decoder_type: Literal["standard"] = "standard",
        resample_filter: Sequence[int] = (1, 1),
    ) -> None:
        super().__init__()
        _check("embedding_type", embedding_type, "positional", "fourier")
        _check("encoder_type", encoder_type, "standard", "residual")
        _check("decoder_type", decoder_type, "standard")
        told, widths = model_channels * channel_mult_emb, [model_channels * m for m in channel_mult]
        noise = model_channels * channel_mult_noise
        fourier = embedding_type == "fourier"
        self.map_noise = FourierEmbedding(noise) if fourier else PositionalEmbedding(noise, endpoint=True)
        self.map_label = nn.Linear(label_dim, noise) if label_dim else None
        self.map_augment = nn.Linear(augment_dim, noise, bias=False) if augment_dim else None
        self.map_layer0, self.map_layer1 = nn.Linear(noise, told), nn.Linear(told, told)

        def block(place: Place, encodes: bool) -> UNetBlock:
            has_index = place.index is not None if encodes else place.index == num_blocks
            attends = place.is_innermost or (has_index and place.resolution in attn_resolutions)
            return UNetBlock(
                place.inputs, place.outputs, told, place.resample == "up", place.resample == "down", attends,
                num_heads=1, skip_scale=0.5**0.5, eps=1e-6, resample_filter=resample_filter, resample_proj=True,
                adaptive_scale=False,
            )  # fmt: skip

        def side(inputs: int, outputs: int) -> Conv2d:
            return Conv2d(inputs, outputs, 3, down=True, resample_filter=resample_filter, fused_resample=True)

        carries = side if encoder_type == "residual" else None
        stem = Conv2d(in_channels, model_channels, 3)
        self.build(img_resolution, stem, model_channels, widths, num_blocks, block, carries, in_channels)
        self._end = f"{img_resolution}x{img_resolution}_aux"
        self.dec[f"{self._end}_norm"] = group_norm(widths[0], eps=1e-6)
        self.dec[f"{self._end}_conv"] = Conv2d(widths[0], out_channels, 3)

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None, augment: Tensor | None = None) -> Tensor:
        """(B, in_channels, n, n), (B,), (B or 1, label_dim), (B, augment_dim) → (B, out_channels, n, n)."""
        e = sines_first(self.map_noise(c_noise)).to(self.map_layer0.weight.dtype)
        if self.map_label is not None:
            assert labels is not None, "the preconditioning gives them"
            e = e + self.map_label(labels.to(e.dtype) * labels.shape[1] ** 0.5)
        if self.map_augment is not None and augment is not None:
            e = e + self.map_augment(augment.to(e.dtype))
        e = F.silu(self.map_layer1(F.silu(self.map_layer0(e))))
        x = F.silu(self.dec[f"{self._end}_norm"](self.run(x, e)))
        return self.dec[f"{self._end}_conv"](x)


def _check(name: str, value: object, *known: str) -> None:
    if value not in known:
        raise UserError(f"SongUNet: {name} must be {' or '.join(known)}, got {value!r}")
