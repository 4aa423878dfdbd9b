"""How far a method moves along its gradient: ρ, a factor on the method's own step size.

Papers and their code often differ in this factor alone. Each method has the paper's by default.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dsg.diffusion.level import Step
from dsg.guidance.curve import Curve, weight
from dsg.process import LossGradient, ReverseProcess
from dsg.types import PerSample, State, expand_to, per_sample_norm


class StepRule(ABC):
    """ρ of a step: a strategy object without state. Subclasses write `factor`."""

    needs_signal: ClassVar[bool] = False
    """Whether it divides by √ā, so that it cannot start from noise alone (ā = 0)."""

    needs_correction: ClassVar[bool] = False
    """Whether it reads what a combiner adds to a weak prediction."""

    @abstractmethod
    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> float | PerSample:
        """ρ ≥ 0, one number, or one a sample (B,); finite, and 0 where it is not defined.

        Args:
            guide: prediction, loss and gradient at x_t.
            step: the one that is taken.
            process: has the steps of the trajectory.
        """

    def scaled(self, step_size: float, guide: LossGradient, step: Step, process: ReverseProcess) -> State:
        """ζ ρ g of a step size ζ, (B, *shape)."""
        factor = step_size * self.factor(guide, step, process)
        return (expand_to(factor, guide.gradient) if isinstance(factor, Tensor) else factor) * guide.gradient


@dataclass(frozen=True)
class Constant(StepRule):
    """ρ = 1: the paper's of DPS, LGD-MC and MPGD."""

    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> float:
        return 1.0


@dataclass(frozen=True)
class Signal(StepRule):
    """ρ = √ā: FreeDoM's face code."""

    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> float:
        return step.signal


@dataclass(frozen=True)
class OverPreviousSignal(StepRule):
    """ρ = 1/√ā_prev: MPGD's code, which calls ā_prev `at`."""

    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> float:
        return 1.0 / step.prev.signal


@dataclass(frozen=True)
class OverLoss(StepRule):
    """ρ = 1/L, so that ρ g is the gradient of log L: DPS in the TFG repository, normalised once more than published."""

    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> PerSample:
        return _over(torch.ones_like(guide.loss), guide.loss)


@dataclass(frozen=True)
class Exploding(StepRule):
    """ρ = √(ā ā_prev): a constant step of the variance-exploding state x/√ā, as InverseBench's codes take it."""

    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> float:
        return step.signal * step.prev.signal


@dataclass(frozen=True)
class Scheduled(StepRule):
    """ρ = s(t), one of TFG's curves of mean 1: FreeDoM and others in the TFG repository.

    Args:
        curve: `constant`, `increase` towards the clean end, or `decrease`.
    """

    curve: Curve = "increase"

    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> float:
        return weight(self.curve, step, process.steps)


@dataclass(frozen=True)
class Normalised(StepRule):
    """ρ = rms(ε) √((1−ā)/ā) c/rms(g), c = √ā_prev β/(1−ā) the coefficient of x̂ in the posterior mean: FreeDoM's CLIP
    code, which has a step size of 0.02. Only the direction of g matters; rms is each sample's own, and c is of the
    trajectory's own step wherever on its way it is asked for.
    """

    needs_signal: ClassVar[bool] = True

    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> PerSample:
        own = next(s for s in process.steps if s.index == step.index)  # a further evaluation is at the next level
        coefficient = own.prev.signal * own.beta / own.noise_variance
        wanted = step.sigma * coefficient * per_sample_norm(guide.prediction.epsilon)
        return _over(wanted, per_sample_norm(guide.gradient))


@dataclass(frozen=True)
class OfCorrection(StepRule):
    """ρ = rms(γ (ε_c − ε_u))/rms(g): FreeDoM's code for Stable Diffusion, with a step size of 0.2, is as long as that
    share of what classifier-free guidance adds. Only the direction of g matters; rms is each sample's own.

    Where the combiner adds nothing, as outside its interval, ρ = 0.
    """

    needs_correction: ClassVar[bool] = True

    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> PerSample:
        correction = guide.prediction.correction
        wanted = torch.zeros_like(guide.loss) if correction is None else per_sample_norm(correction)
        return _over(wanted, per_sample_norm(guide.gradient))


@dataclass(frozen=True)
class UnitOverPreviousSignal(StepRule):
    """ρ = 1/(rms(g) √ā_prev): MPGD's code for faces, with a step size of 0.015. Only the direction of g matters."""

    def factor(self, guide: LossGradient, step: Step, process: ReverseProcess) -> PerSample:
        norm = per_sample_norm(guide.gradient)
        root = math.sqrt(guide.gradient[0].numel())
        return _over(torch.full_like(norm, root / step.prev.signal), norm)


def _over(numerator: PerSample, denominator: PerSample) -> PerSample:
    """a/b, and 0 where b vanishes: there is no direction to go in."""
    safe = torch.where(denominator > 0, denominator, 1)
    return torch.where(denominator > 0, numerator / safe, torch.zeros_like(safe))
