"""What a loss guidance knows of a step when its gradient is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dsg.diffusion.kernels import Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.process.trace import GradientKind
from dsg.types import PerSample, State


@dataclass(frozen=True)
class LossGradient:
    """The loss at a state and its gradient there.

    Args:
        prediction: the model's prediction at x_t, without a graph.
        loss: L(x̂(x_t), y), (B,).
        gradient: g, (B, *shape), by one backward pass of ΣL.
        kind: what g is of.
        objective: what was differentiated, x̂ ↦ (B,), with its draws if it has any; None where that is no loss of x̂.
    """

    prediction: Prediction
    loss: PerSample
    gradient: State
    kind: GradientKind = "loss"
    objective: Callable[[State], PerSample] | None = None


@dataclass(frozen=True)
class GuidedStep:
    """All that is known of a step when its loss gradient is there and the next state is not.

    Args:
        step: the levels that it goes between.
        x_t: the state before, (B, *shape).
        guide: prediction, loss and gradient at `x_t`.
        transition: the unguided mean and standard deviation.
        noise: z ~ N(0, I) of this step, (B, *shape).
    """

    step: Step
    x_t: State
    guide: LossGradient
    transition: Transition
    noise: State

    @property
    def gradient(self) -> State:
        """g = ∇_{x_t} L, (B, *shape)."""
        return self.guide.gradient

    @property
    def unguided(self) -> State:
        """μ + σ z, the ordinary step."""
        return self.transition.sample(self.noise)
