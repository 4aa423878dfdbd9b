"""What a token combiner is: several evaluations of a token model become the rates at which tokens are unmasked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from dsg.combiners.base import Conditioned
from dsg.combiners.scale import GuidanceScale, PiecewiseLinear, ScaleSchedule, scale_at
from dsg.data.examples import LABEL
from dsg.diffusion.condition import Condition
from dsg.errors import UserError
from dsg.masked.schedule import MaskSchedule
from dsg.masked.unmasking import Moment, Unmasking
from dsg.models.tokens.base import LogChances, TokenModel, Tokens


class TokenEvaluations(Conditioned, Protocol):
    """What a combiner may ask of the batch: evaluations, each of which is counted."""

    token_model: TokenModel
    schedule: MaskSchedule

    def evaluate(self, tokens: Tokens, condition: Condition | None) -> LogChances:
        """One evaluation of the model under `condition`: log p(x_i = v | x_t, c), float32 or better."""
        ...


class TokenCombiner(ABC):
    """A strategy object: immutable, per sample, ignorant of kernels."""

    needs_condition: ClassVar[bool] = False
    """Whether every example has to come with what a condition is made of, such as a class label."""

    @property
    def changes_speed(self) -> bool:
        """Whether its rates are unmasked at another speed than 1: a kernel that fixes how many does not see that."""
        return False

    @property
    def changes_with_time(self) -> bool:
        """Whether its rates of the same tokens are others at another time."""
        return False

    def needs(self, model: TokenModel) -> frozenset[str]:
        """The columns that every example has to have for it."""
        if not self.needs_condition:
            return frozenset()
        return model.hears if model.is_conditional else frozenset({LABEL})

    def check(self, model: TokenModel) -> None:
        """Raise UserError if the model lacks what this combiner needs. Called before the first sample."""

    def num_classes(self, model: TokenModel) -> int | None:
        """How many classes a label may name; None if neither the model nor the combiner takes labels."""
        return model.num_classes

    def networks(self) -> tuple[nn.Module, ...]:
        """Frozen modules besides the model; they move to its device with it."""
        return ()

    @abstractmethod
    def unmasking(self, tokens: Tokens, moment: Moment, process: TokenEvaluations) -> Unmasking:
        """The rates at `tokens` (B, L), from as many `process.evaluate` as needed."""


class Conditional(TokenCombiner):
    """One evaluation under the batch's own condition: p(x_i | x_t, c), or p(x_i | x_t) where there is none."""

    def unmasking(self, tokens: Tokens, moment: Moment, process: TokenEvaluations) -> Unmasking:
        return Unmasking(process.evaluate(tokens, process.condition))


def scale_of(scale: GuidanceScale, moment: Moment, schedule: MaskSchedule) -> float | Tensor:
    """γ of a moment; where samples have times of their own and it hangs on them, (B, 1, 1) float64."""
    if not isinstance(scale, ScaleSchedule):
        return scale
    if not isinstance(moment.time, Tensor):
        return scale_at(scale, schedule.level(moment.time))
    values = [scale_at(scale, schedule.level(time)) for time in moment.time.tolist()]
    return torch.tensor(values, dtype=torch.float64, device=moment.time.device).view(-1, 1, 1)


def check_times(scale: GuidanceScale) -> None:
    """Raise UserError if the points of a schedule are outside masked time, as those of timesteps are."""
    if isinstance(scale, PiecewiseLinear) and not 0.0 <= scale.t[0] <= scale.t[-1] <= 1.0:
        raise UserError(
            f"guidance_scale: t of tokens is in [0, 1], from 0, all seen, to 1, all masked; got {list(scale.t)}"
        )


def check_both_ways(model: TokenModel, combiner: TokenCombiner) -> None:
    """Raise UserError unless the token model can be evaluated with a condition and without one."""
    name = type(combiner).__name__
    if not model.is_conditional:
        raise UserError(f"combiner: {name} needs a token model with classes; set model.token_model to one")
    if not model.knows_marginal:
        raise UserError(
            f"combiner: {name} also evaluates the token model without a class, and it has no null class; set its "
            "null_class if it was trained with dropped labels"
        )
