"""Classifier-free guidance of masked tokens, with its speed or without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from dsg.combiners.base import condition_of, null_of
from dsg.combiners.scale import GuidanceScale, ScaleSchedule, check_scale
from dsg.masked.combiners.base import TokenCombiner, TokenEvaluations, check_both_ways, check_times, scale_of
from dsg.masked.unmasking import LEAST, Moment, Unmasking
from dsg.models.tokens.base import LogChances, TokenModel, Tokens


@dataclass(frozen=True)
class TiltedGuidance(TokenCombiner):
    """The tilt p_c^γ p_u^{1−γ} of each masked token, and its sum Z over the vocabulary.

    Args:
        guidance_scale: γ ≥ 0, a number or a ScaleSchedule of the time, from 1, all masked, to 0. γ = 1 + w: 1 is the
            conditional model, 0 the unconditional one, each by one evaluation.

    Raises:
        UserError: for a negative γ; before the first sample, for times outside [0, 1], and a model without classes or
            without a null class.
    """

    guidance_scale: GuidanceScale = 2.0

    needs_condition: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_scale(self.guidance_scale)

    @property
    def is_plain(self) -> bool:
        """Whether γ is 0 or 1 all along, so that one evaluation is all."""
        return self.guidance_scale in (0.0, 1.0)

    @property
    def changes_with_time(self) -> bool:
        return isinstance(self.guidance_scale, ScaleSchedule)

    def check(self, model: TokenModel) -> None:
        check_times(self.guidance_scale)
        check_both_ways(model, self)

    def tilt(self, tokens: Tokens, moment: Moment, process: TokenEvaluations) -> LogChances:
        """γ log p_c + (1 − γ) log p_u, (B, L, V), and none where p_u is 0; by one evaluation where γ is 0 or 1.

        Samples with times of their own, as under FirstHitting, take two in each step of a schedule, whatever γ is.
        """
        scale = scale_of(self.guidance_scale, moment, process.schedule)
        if not isinstance(scale, Tensor) and scale in (0.0, 1.0):
            return process.evaluate(tokens, condition_of(process) if scale else null_of(process))
        told = process.evaluate(tokens, condition_of(process)).clamp_min(LEAST)
        untold = process.evaluate(tokens, null_of(process)).clamp_min(LEAST)
        tilt = untold + (scale.to(told.dtype) if isinstance(scale, Tensor) else scale) * (told - untold)
        return tilt.masked_fill(untold <= LEAST, LEAST)  # else γ > 1 makes what is impossible the likeliest


@dataclass(frozen=True)
class ClassifierFree(TiltedGuidance):
    """A masked token becomes v at the rate κ p_c(v)^γ p_u(v)^{1−γ} (2507.08965, eq. 5), or at that over its sum Z:

        normalised: κ softmax(γ log p_c + (1 − γ) log p_u)

    Rates that are not normalised are those of Nisonoff et al. (2406.01572): R_c^γ R_u^{1−γ}, where κ goes out of the
    powers. Their sum Z multiplies the speed, which is 1 on the mean of neither: tokens are seen too early where p_c and
    p_u differ, and many at once. Normalised ones are seen when they are without guidance.

    Args:
        normalised: whether rates are divided by Z, which is in the paper what repairs guidance.
    """

    normalised: bool = True

    @property
    def changes_speed(self) -> bool:
        return not (self.normalised or self.is_plain)

    def unmasking(self, tokens: Tokens, moment: Moment, process: TokenEvaluations) -> Unmasking:
        tilt = self.tilt(tokens, moment, process)
        return Unmasking(tilt) if self.is_plain else Unmasking.of(tilt, self.normalised)
