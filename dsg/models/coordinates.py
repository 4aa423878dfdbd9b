"""The coordinates in which a network sees a state: its scale and its time. Everything else here is variance-preserving.

Every Gaussian path x = α x_0 + β ε is the variance-preserving one times √(α²+β²), with ā = α²/(α²+β²).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from dsg.diffusion.continuous import FlowSchedule, SigmaSchedule
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError


class Coordinates(ABC):
    """How a variance-preserving state and its level look to a network. Without state."""

    @abstractmethod
    def scale(self, level: NoiseLevel) -> float:
        """√(α²+β²): the network's own state is x_t times this."""

    def time(self, level: NoiseLevel) -> float:
        """What the network is given as its time: by default the schedule's own."""
        return level.t


@dataclass(frozen=True)
class VariancePreserving(Coordinates):
    """x_t as it is, and the timestep."""

    def scale(self, level: NoiseLevel) -> float:
        return 1.0


@dataclass(frozen=True)
class VarianceExploding(Coordinates):
    """x_0 + σ ε (Song et al. 2021; Karras et al. 2022), at the time σ: x_t √(1+σ²) = x_t/√ā."""

    def scale(self, level: NoiseLevel) -> float:
        return 1.0 / level.signal

    def time(self, level: NoiseLevel) -> float:
        return level.sigma


@dataclass(frozen=True)
class RectifiedFlow(Coordinates):
    """(1−t) x_0 + t ε (Liu et al. 2022), t = √(1−ā)/(√ā + √(1−ā)): x_t/(√ā + √(1−ā)).

    Args:
        time_scale: what t is multiplied by for the network; 1000 in Stable Diffusion 3 and Flux.
    """

    time_scale: float = 1.0

    def scale(self, level: NoiseLevel) -> float:
        return 1.0 / (level.signal + level.noise)

    def time(self, level: NoiseLevel) -> float:
        return self.time_scale * level.noise / (level.signal + level.noise)


def coordinates_of(schedule: Schedule) -> Coordinates:
    """Those in which networks of such a schedule see a state."""
    if isinstance(schedule, SigmaSchedule):
        return VarianceExploding()
    return RectifiedFlow() if isinstance(schedule, FlowSchedule) else VariancePreserving()


def check_coordinates(coordinates: Coordinates, schedule: Schedule) -> None:
    """Raise UserError if a state of the schedule has no place in them: x_0 + σ ε has none at ā = 0."""
    if isinstance(coordinates, VarianceExploding) and schedule.noisiest.signal == 0.0:
        raise UserError(
            f"coordinates: VarianceExploding has no state of noise alone (ā = 0), where {type(schedule).__name__} "
            "begins; take a SigmaSchedule"
        )
