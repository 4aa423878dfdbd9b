"""Score models of a size that is asked for: what they have learned changes no time."""

from __future__ import annotations

import torch
from torch import nn

from dsg.models.adm import ADM
from dsg.models.adm.network import ADMOptions, build_adm_network
from dsg.models.engines import Engine
from dsg.models.mixture import GaussianMixture

FFHQ256 = {
    "image_size": 256, "num_channels": 128, "num_res_blocks": 1, "attention_resolutions": "16",
    "num_head_channels": 64, "resblock_updown": True, "use_scale_shift_norm": True, "learn_sigma": True,
}  # fmt: skip


IMAGENET256 = {
    "image_size": 256, "num_channels": 256, "num_res_blocks": 2, "attention_resolutions": "32,16,8",
    "num_head_channels": 64, "resblock_updown": True, "use_scale_shift_norm": True, "learn_sigma": True,
}  # fmt: skip


class UntrainedFFHQ(ADM):
    """The network of `ffhq_10m.pt`, 93.6 M parameters, with random weights.

    Args:
        engine: as of `ADM`.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        nn.Module.__init__(self)
        options = ADMOptions(**FFHQ256)
        self._hold(build_adm_network(options), options, None, rescale_timesteps=False, engine=engine)


class UntrainedMixture(GaussianMixture):
    """Gaussians over square images, each with a random mean and variances of its own.

    Args:
        components: how many Gaussians.
        side: height and width in pixels.
    """

    def __init__(self, components: int = 64, side: int = 16) -> None:
        generator = torch.Generator().manual_seed(0)
        means = torch.rand(components, 3, side, side, generator=generator) * 2 - 1
        variances = 0.1 + torch.rand(components, means[0].numel(), generator=generator)
        super().__init__([1.0] * components, means, variances)
