"""The ADM U-Net (Dhariwal & Nichol 2021) as a `diffusers.UNet2DModel`, from the options of guided-diffusion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dsg.errors import UserError, installed

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d import UNet2DModel

NUM_CLASSES = 1000
"""Every class-conditional checkpoint of guided-diffusion is of ImageNet."""

_DEFAULT_MULTIPLIERS = {512: "0.5,1,1,2,2,4,4", 256: "1,1,2,2,4,4", 128: "1,1,2,3,4", 64: "1,2,3,4"}


@dataclass(frozen=True)
class ADMOptions:
    """What guided-diffusion's `create_model` is told; the meaning of each is on `dsg.models.adm.ADM`."""

    image_size: int = 256
    num_channels: int = 128
    num_res_blocks: int = 1
    channel_mult: str = ""
    learn_sigma: bool = True
    class_cond: bool = False
    attention_resolutions: str = "16"
    num_heads: int = 4
    num_head_channels: int = 64
    num_heads_upsample: int = -1
    use_scale_shift_norm: bool = True
    dropout: float = 0.0
    resblock_updown: bool = True
    use_new_attention_order: bool = False

    def __post_init__(self) -> None:
        for name, least in (("image_size", 1), ("num_channels", 1), ("num_res_blocks", 1), ("num_heads", 1)):
            if getattr(self, name) < least:
                raise UserError(f"ADM: {name} must be at least {least}, got {getattr(self, name)}")
        for name in ("num_head_channels", "num_heads_upsample"):
            if getattr(self, name) < 1 and getattr(self, name) != -1:
                raise UserError(f"ADM: {name} must be at least 1, or -1 for none, got {getattr(self, name)}")
        if not 0.0 <= self.dropout <= 1.0:
            raise UserError(f"ADM: dropout must be in [0, 1], got {self.dropout}")

    @property
    def multipliers(self) -> tuple[float, ...]:
        """Channel multiplier of each resolution, finest first; an empty `channel_mult` means the image size's own."""
        text = self.channel_mult or _DEFAULT_MULTIPLIERS.get(self.image_size, "")
        if not text:
            sizes = sorted(_DEFAULT_MULTIPLIERS)
            raise UserError(f"ADM: channel_mult has no default at image_size {self.image_size} (only {sizes}); give it")
        multipliers = tuple(_numbers("channel_mult", text, float))
        if not all(0.0 < multiplier < math.inf for multiplier in multipliers):
            raise UserError(f"ADM: channel_mult must be above 0, got {text!r}")
        return multipliers

    @property
    def attends(self) -> tuple[bool, ...]:
        """Whether each resolution has attention, finest first."""
        wanted = _numbers("attention_resolutions", self.attention_resolutions, int)
        sizes = [self.image_size // 2**level for level in range(len(self.multipliers))]
        if absent := [size for size in wanted if size not in sizes]:
            raise UserError(f"ADM: attention_resolutions {absent} are not among this network's resolutions {sizes}")
        return tuple(size in wanted for size in sizes)

    def heads(self, channels: int, upsampling: bool = False) -> int:
        """Attention heads over `channels`: by their width where `num_head_channels` is given, else `num_heads`."""
        if self.num_head_channels != -1:
            heads, rest = divmod(channels, self.num_head_channels)
        else:
            heads = self.num_heads_upsample if upsampling and self.num_heads_upsample != -1 else self.num_heads
            rest = channels % heads
        if rest:
            raise UserError(f"ADM: {channels} channels do not divide into heads; mend num_heads or num_head_channels")
        return heads


def build_adm_network(options: ADMOptions) -> UNet2DModel:
    """The network with fresh weights: to be loaded, or for tests and benchmarks where no weights are wanted.

    (B, 3, n, n), t (B,) → (B, 6 or 3, n, n). Timestep embedding: cosines first, no frequency shift, as wide as
    `num_channels`; group norms have 32 groups and ε = 1e-5.

    Raises:
        UserError: if the options name a network that does not exist.
    """
    with installed("diffusers", "ADM"):
        from diffusers.models.embeddings import TimestepEmbedding, Timesteps
        from diffusers.models.unets.unet_2d import UNet2DModel

    channels = [int(multiplier * options.num_channels) for multiplier in options.multipliers]
    if bad := [width for width in channels if width % 32]:
        raise UserError(f"ADM: num_channels × channel_mult must be multiples of 32, got {bad}")
    if options.image_size % 2 ** (len(channels) - 1):
        raise UserError(f"ADM: image_size {options.image_size} cannot be halved {len(channels) - 1} times")
    plain = "Resnet{}sampleBlock2D" if options.resblock_updown else "{}Block2D"
    resampling = "resnet" if options.resblock_updown else "conv"
    network = UNet2DModel(
        sample_size=options.image_size,
        in_channels=3,
        out_channels=6 if options.learn_sigma else 3,
        block_out_channels=tuple(channels),
        down_block_types=tuple("AttnDownBlock2D" if a else plain.format("Down") for a in options.attends),
        up_block_types=tuple("AttnUpBlock2D" if a else plain.format("Up") for a in reversed(options.attends)),
        layers_per_block=options.num_res_blocks,
        downsample_type=resampling,
        upsample_type=resampling,
        dropout=options.dropout,
        attention_head_dim=1,  # a width that divides every layer; `_set_heads` puts the true number of heads
        norm_num_groups=32,
        attn_norm_num_groups=32,  # without it the middle attention of a scale-shift network loses its norm
        norm_eps=1e-5,
        resnet_time_scale_shift="scale_shift" if options.use_scale_shift_norm else "default",
        num_class_embeds=NUM_CLASSES if options.class_cond else None,
        time_embedding_dim=4 * options.num_channels,
        flip_sin_to_cos=True,
        freq_shift=0,
    )
    if channels[0] != options.num_channels:  # diffusers ties the embedding's width to the first block, ADM does not
        network.time_proj = Timesteps(options.num_channels, True, 0)
        network.time_embedding = TimestepEmbedding(options.num_channels, 4 * options.num_channels)
    _set_heads(network, options)
    return network


def _set_heads(network: UNet2DModel, options: ADMOptions) -> None:
    from diffusers.models.attention_processor import Attention

    for name, module in network.named_modules():
        if isinstance(module, Attention):
            module.heads = options.heads(module.inner_dim, upsampling=name.startswith("up_blocks"))
            module.scale = (module.inner_dim // module.heads) ** -0.5


def _numbers(name: str, text: str, kind: type) -> list:
    try:
        return [kind(part) for part in str(text).split(",") if part.strip()]
    except ValueError:
        raise UserError(f"ADM: {name} is a list of numbers as text, like '1,2', got {text!r}") from None
