"""A denoiser D(x; σ) with its preconditioning, as a score model."""

from __future__ import annotations

import torch

from dsg.diffusion.condition import Condition
from dsg.diffusion.continuous import SigmaSchedule
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Schedule
from dsg.diffusion.sigma_table import SigmaTable
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.clean_range import CleanRange, range_of
from dsg.models.coordinates import VarianceExploding
from dsg.models.edm.preconditioning import Preconditioned
from dsg.models.labels import labels_for
from dsg.types import State, at_least_float32

_LEAST, _MOST = 0.002, 80.0  # of the published samplers


class Denoiser(ScoreModel):
    """x̂ = D(x_t √(1+σ²); σ), of a network that is there already.

    Args:
        network: the denoiser.
        sigma_min: as `EDM` says, and so are the others.
        sigma_max: most noise that is sampled at.
        label_dropout: whether a network with classes was trained without a label too.
        clean_range: to which x̂ may be clamped.
        channels_last: use the channels-last memory format.

    Raises:
        UserError: if a σ is outside the network's, or an option does not suit it.
    """

    def __init__(
        self,
        network: Preconditioned,
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        label_dropout: bool = False,
        clean_range: CleanRange = "pixels",
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        if channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.channels_last, self.coordinates, self.predicts = channels_last, VarianceExploding(), "denoised"
        self.schedule = schedule_of(network, sigma_min, sigma_max)
        self.shape = (network.img_channels, network.img_resolution, network.img_resolution)
        self.clean_range = range_of(clean_range, self.shape, "EDM")
        if label_dropout and not network.label_dim:
            raise UserError("EDM: label_dropout is of a network with classes, and this one has none; leave it out")
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
