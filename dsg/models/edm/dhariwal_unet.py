"""ADM: guided-diffusion's network, as EDM uses it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from dsg.models.edm.layers import Conv2d, PositionalEmbedding, group_norm
from dsg.models.edm.plan import Place
from dsg.models.edm.unet import UNet
from dsg.models.edm.unet_block import UNetBlock


class DhariwalUNet(UNet):
    """Dhariwal & Nichol 2021 (2105.05233); Karras et al. 2022 (2206.00364), table 7. The arguments are the published
    ones. Attention has a head for each 64 channels: a block of fewer has none.

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
    """

    def __init__(
        self,
        img_resolution: int,
        in_channels: int,
        out_channels: int,
        label_dim: int = 0,
        augment_dim: int = 0,
        model_channels: int = 192,
        channel_mult: Sequence[int] = (1, 2, 3, 4),
        channel_mult_emb: int = 4,
        num_blocks: int = 3,
        attn_resolutions: Sequence[int] = (32, 16, 8),
        dropout: float = 0.10,
        label_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        told, widths = model_channels * channel_mult_emb, [model_channels * m for m in channel_mult]
        self.map_noise = PositionalEmbedding(model_channels)
        self.map_augment = nn.Linear(augment_dim, model_channels, bias=False) if augment_dim else None
        self.map_layer0, self.map_layer1 = nn.Linear(model_channels, told), nn.Linear(told, told)
        self.map_label = nn.Linear(label_dim, told, bias=False) if label_dim else None

        def block(place: Place, encodes: bool) -> UNetBlock:
            attends = place.attends(attn_resolutions)
            up, down = place.resample == "up", place.resample == "down"
            return UNetBlock(place.inputs, place.outputs, told, up, down, attends)

        self.build(img_resolution, Conv2d(in_channels, widths[0], 3), widths[0], widths, num_blocks, block)
        self.out_norm = group_norm(widths[0])
        self.out_conv = Conv2d(widths[0], out_channels, 3)

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor | None, augment: Tensor | None = None) -> Tensor:
        """(B, in_channels, n, n), (B,), (B or 1, label_dim), (B, augment_dim) → (B, out_channels, n, n)."""
        e = self.map_noise(c_noise).to(self.map_layer0.weight.dtype)
        if self.map_augment is not None and augment is not None:
            e = e + self.map_augment(augment.to(e.dtype))
        e = self.map_layer1(F.silu(self.map_layer0(e)))
        if self.map_label is not None:
            assert labels is not None, "the preconditioning gives them"
            e = e + self.map_label(labels.to(e.dtype))
        return self.out_conv(F.silu(self.out_norm(self.run(x, F.silu(e)))))
