"""The coordinates in which a network sees a state: its scale and its time. Everything else here is variance-preserving.

Every Gaussian path x = α x_0 + β ε is the variance-preserving one times √(α²+β²), with ā = α²/(α²+β²). docs/models.md
lists which published networks have which.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from dsg.diffusion.continuous import FlowSchedule, SigmaSchedule
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError

ScheduleTime = Literal["schedule", "angle", "log_snr"]
SigmaTime = Literal["sigma", "log_sigma", "quarter_log_sigma", "log_half_sigma"]


class Coordinates(ABC):
    """How a variance-preserving state and its level look to a network. Without state."""

    has_velocity: ClassVar[bool] = False
    """Whether a network in them can predict the `velocity` of the straight path."""

    data_at_one: bool = False
    """Whether their time runs from the noise to the data, so that a velocity is x_0 − ε."""

    @abstractmethod
    def scale(self, level: NoiseLevel) -> float:
        """√(α²+β²): the network's own state is x_t times this."""

    def time(self, level: NoiseLevel) -> float:
        """What the network is given as its time: by default the schedule's own."""
        return level.t


@dataclass(frozen=True)
class VariancePreserving(Coordinates):
    """x_t as it is.

    Args:
        time_scale: what its time is multiplied by: 999 where a continuous t in [0, 1] becomes a timestep (score_sde),
            0.001 where a timestep of a table of 1000 becomes t/T, 2/π where an angle becomes 0 to 1.
        time_as: `schedule` is the schedule's own, a timestep of a table or t; `angle` is φ = arctan(√(1−ā)/√ā), with
            √ā = cos φ (v-diffusion; TrigFlow, Lu & Song 2024, 2410.11081); `log_snr` is λ (Kingma et al. 2021).

    Raises:
        UserError: for another word, or a scale that is 0 or not finite.
    """

    time_scale: float = 1.0
    time_as: ScheduleTime = "schedule"

    def __post_init__(self) -> None:
        _check(self.time_scale, self.time_as, get_args(ScheduleTime))

    def scale(self, level: NoiseLevel) -> float:
        return 1.0

    def time(self, level: NoiseLevel) -> float:
        own = {"schedule": level.t, "angle": math.atan2(level.noise, level.signal), "log_snr": level.log_snr}
        return self.time_scale * own[self.time_as]


@dataclass(frozen=True)
class VarianceExploding(Coordinates):
    """x_0 + σ ε (Song et al. 2021; Karras et al. 2022): x_t √(1+σ²) = x_t/√ā.

    Args:
        time_scale: what its time is multiplied by.
        time_as: `sigma` is σ (score_sde, and a denoiser D(x; σ) that preconditions itself); `log_sigma` is log σ;
            `quarter_log_sigma` is ¼ log σ, EDM's c_noise, and `log_half_sigma` log(σ/2), that of its VE networks
            (Karras et al. 2022, 2206.00364, table 1).

    Raises:
        UserError: for another word, or a scale that is 0 or not finite.
    """

    time_scale: float = 1.0
    time_as: SigmaTime = "sigma"

    def __post_init__(self) -> None:
        _check(self.time_scale, self.time_as, get_args(SigmaTime))

    def scale(self, level: NoiseLevel) -> float:
        return 1.0 / level.signal

    def time(self, level: NoiseLevel) -> float:
        log_sigma = -level.log_snr / 2.0
        own = {
            "sigma": level.sigma,
            "log_sigma": log_sigma,
            "quarter_log_sigma": log_sigma / 4.0,
            "log_half_sigma": log_sigma - math.log(2.0),
        }
        return self.time_scale * own[self.time_as]


@dataclass(frozen=True)
class RectifiedFlow(Coordinates):
    """The straight path between data and noise (Liu et al. 2022): x_t/(√ā + √(1−ā)).

        data_at_one false:  (1−t) x_0 + t ε,   velocity ε − x_0,   t = √(1−ā)/(√ā + √(1−ā))
        data_at_one true:   t x_0 + (1−t) ε,   velocity x_0 − ε,   t = √ā/(√ā + √(1−ā))

    Args:
        time_scale: what t is multiplied by for the network; 1000 in Stable Diffusion 3 and Flux, 999 in the code of
            Liu et al.
        data_at_one: whether t runs from the noise to the data, as in Liu et al. 2022, Lipman et al. 2023, SiT, and the
            libraries flow_matching and torchcfm; Stable Diffusion 3 and Flux have the data at 0.

    Raises:
        UserError: for a scale that is 0 or not finite.
    """

    time_scale: float = 1.0
    data_at_one: bool = False

    has_velocity: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(self.time_scale)

    def scale(self, level: NoiseLevel) -> float:
        return 1.0 / (level.signal + level.noise)

    def time(self, level: NoiseLevel) -> float:
        share = level.signal if self.data_at_one else level.noise
        return self.time_scale * share / (level.signal + level.noise)


def coordinates_of(schedule: Schedule) -> Coordinates:
    """Those in which networks of such a schedule see a state."""
    if isinstance(schedule, SigmaSchedule):
        return VarianceExploding()
    return RectifiedFlow() if isinstance(schedule, FlowSchedule) else VariancePreserving()


def check_coordinates(coordinates: Coordinates, schedule: Schedule) -> None:
    """Raise UserError if a state of the schedule has no place in them: x_0 + σ ε has none at ā = 0."""
    if schedule.noisiest.signal > 0.0:
        return
    name, begins = type(coordinates).__name__, f"(ā = 0), where {type(schedule).__name__} begins"
    if isinstance(coordinates, VarianceExploding):
        raise UserError(f"coordinates: {name} has no state of noise alone {begins}; take a SigmaSchedule")
    if not math.isfinite(coordinates.time(schedule.noisiest)):
        raise UserError(f"coordinates: time_as of {name} is not finite at noise alone {begins}; take another schedule")


def _check(time_scale: float, time_as: str | None = None, words: tuple[str, ...] = ()) -> None:
    if not 0.0 < abs(time_scale) < math.inf:
        raise UserError(f"coordinates: time_scale must be finite and not 0, got {time_scale}")
    if time_as is not None and time_as not in words:
        raise UserError(f"coordinates: time_as must be one of {', '.join(words)}, got {time_as!r}")
