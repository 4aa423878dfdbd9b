"""EDM and EDM2: pretrained denoisers as score models."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import nn

from dsg.data.media import medium_of
from dsg.diffusion.condition import Condition
from dsg.diffusion.continuous import SigmaSchedule
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Schedule
from dsg.diffusion.sigma_table import SigmaTable
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.coordinates import VarianceExploding
from dsg.models.edm.build import build, load
from dsg.models.edm.preconditioning import Preconditioned
from dsg.models.edm.stored import read_network
from dsg.models.labels import labels_for
from dsg.models.precision import to_memory_format
from dsg.models.weights import WeightFiles
from dsg.types import State, at_least_float32

_LEAST, _MOST = 0.002, 80.0  # of the published samplers


class EDM(ScoreModel):
    """A checkpoint of EDM (Karras et al. 2022, 2206.00364) or EDM2 (Karras et al. 2024, 2312.02696):

        x̂ = D(x_t √(1+σ²); σ)

    Read from a published `.pkl`, of which nothing is run, or from a folder with `config.json` and `weights.safetensors`
    (`python -m dsg.models.edm.convert` makes one of a `.pkl`). Networks with VP, VE and iDDPM preconditioning are read
    too; the last knows the σ of a table, and levels are rounded to them.

    Networks of 4 channels (EDM2 at 512 pixels) are of latents: `LatentEDM` takes the autoencoder too. `encoder` is what
    the file says of it, by name; empty where it says nothing.

    Args:
        path: the `.pkl`, the folder, or the `.safetensors` file with `config.json` beside it.
        sigma_min: least noise that is sampled at; null is 0.002, or the network's own least if that is more.
        sigma_max: most noise that is sampled at; null is 80, or the network's own most if that is less.
        label_dropout: a network with classes was trained with dropped labels too, so that without a label it is
            unconditional; as published, none was.
        clean_range: smallest and largest value of clean states, to which x̂ may be clamped; `pixels` is −1 and 1 for
            states of 1 or 3 channels and none for others.
        channels_last: use the channels-last memory format.

    Raises:
        UserError: if there is no such file, it is damaged, would run code, or is of another network, or a σ is outside
            the network's.
    """

    encoder: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        path: str,
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        label_dropout: bool = False,
        clean_range: tuple[float, float] | Literal["pixels"] | None = "pixels",
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        stored = read_network(path)
        network = build(stored.class_name, stored.arguments, stored.options, f"checkpoint {path}")
        load(network, stored.tensors, str(path))
        self._hold(network, sigma_min, sigma_max, label_dropout, clean_range, channels_last)
        self.weight_files, self.encoder = WeightFiles(stored.files), stored.encoder

    @classmethod
    def around(cls, network: Preconditioned, **options: Any) -> EDM:
        """A denoiser that is there already; `options` are those of an EDM, but for the path."""
        model = cls.__new__(cls)
        nn.Module.__init__(model)
        model._hold(network, **options)
        return model

    def _hold(
        self,
        network: Preconditioned,
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        label_dropout: bool = False,
        clean_range: tuple[float, float] | Literal["pixels"] | None = "pixels",
        channels_last: bool = False,
    ) -> None:
        self.network = network
        to_memory_format(network, channels_last)
        self.channels_last, self.coordinates, self.predicts = channels_last, VarianceExploding(), "denoised"
        self.schedule = schedule_of(network, sigma_min, sigma_max)
        self.shape = (network.img_channels, network.img_resolution, network.img_resolution)
        if clean_range == "pixels":
            clean_range = (-1.0, 1.0) if medium_of(self.shape).is_picture else None
        if clean_range is not None and not clean_range[0] < clean_range[1]:
            raise UserError(f"EDM: clean_range must be low < high, pixels or null, got {clean_range}")
        if label_dropout and not network.label_dim:
            raise UserError("EDM: label_dropout is of a network with classes, and this one has none; leave it out")
        self.clean_range = clean_range
        self.num_classes = network.label_dim or None
        self.null_class = self.num_classes if label_dropout else None
        self.freeze()

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        labels = labels_for(x_t, condition, self.num_classes, self.null_class)
        x_t = at_least_float32(x_t)
        x = self.coordinates.scale(level) * x_t
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        sigma = x.new_full((len(x),), level.sigma, dtype=torch.float32)
        one_hot = None
        if labels is not None:  # the null class has no column, so that it is all zeros
            one_hot = (labels[:, None] == torch.arange(self.network.label_dim, device=x.device)).float()
        return Prediction.from_clean(self.network(x, sigma, one_hot).to(x_t.dtype), x_t, level)


def schedule_of(network: Preconditioned, sigma_min: float | None = None, sigma_max: float | None = None) -> Schedule:
    """The levels that are sampled at, inside those that the network knows.

    Raises:
        UserError: if an end is outside of what the network knows, or both are no interval.
    """
    least, most, table = network.sigma_min, network.sigma_max, network.levels()
    if table is not None:
        least, most = table[-1], table[0]
    for name, value in (("sigma_min", sigma_min), ("sigma_max", sigma_max)):
        if value is not None and not least <= value <= most:
            raise UserError(f"EDM: {name} {value} is outside what the network knows, {least:.6g} to {most:.6g}")
    low = max(_LEAST, least) if sigma_min is None else sigma_min
    high = min(_MOST, most) if sigma_max is None else sigma_max
    if table is None or not low < high:
        return SigmaSchedule(low, high)  # which says what is wrong with its ends
    nearest = SigmaTable(table)
    first, last = nearest.level(high).t, nearest.level(low).t
    return SigmaTable([sigma for sigma in table if last <= sigma <= first])
