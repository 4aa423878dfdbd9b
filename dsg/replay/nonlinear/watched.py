"""A reverse process that keeps what it was asked, so that a record can be compared with every evaluation of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.guidance.base import LossGuidance
from dsg.models.base import ScoreModel
from dsg.process import LossGradient, ReverseProcess
from dsg.process.trace import GradientKind
from dsg.types import PerSample, State

Unguided = Literal["nothing", "loss", "gradient"]


class WatchedProcess(ReverseProcess):
    """Keeps, in `seen`, of every evaluation: x_in, eps, x0_hat, t, eps_raw (a row a network evaluation, the one without
    prompt first), and of every guided one loss and gradient.

    Args:
        unguided: what the recorded code computed where it did not guide: `nothing`, the `loss`, or the `gradient` too.
        gradients: recorded gradients, which are taken instead of those of the loss.
        others: as of a ReverseProcess.
    """

    def __init__(
        self, *others: Any, unguided: Unguided = "nothing", gradients: Iterable[State] | None = None, **named: Any
    ) -> None:
        super().__init__(*others, **named)
        self.seen: defaultdict[str, list[Tensor]] = defaultdict(list)
        self._unguided, self._gradients = unguided, None if gradients is None else iter(gradients)
        self._inside = False  # of `loss_gradient`, where `predict` is its own

    def evaluate(
        self, x_t: State, step: Step, condition: Condition | None, score_model: ScoreModel | None = None
    ) -> Prediction:
        prediction = super().evaluate(x_t, step, condition, score_model)
        self.seen["_evaluated"].append(prediction.epsilon.detach())
        return prediction

    def predict(self, x_t: State, step: Step) -> Prediction:
        prediction = super().predict(x_t, step)
        self.seen["eps_raw"] += reversed(self.seen.pop("_evaluated"))
        self._keep(x_in=x_t, eps=prediction.epsilon, x0_hat=prediction.clean_estimate, t=torch.tensor([int(step.t)]))
        if not self._inside and self._unguided != "nothing" and self._gradients is None:
            self._look(x_t, step)
        return prediction

    def loss_gradient(
        self, x_t: State, step: Step, loss: Callable[[State], PerSample] | None = None, kind: GradientKind = "loss"
    ) -> LossGradient:
        self._inside = True
        try:
            if self._gradients is not None:
                prediction = self.predict(x_t, step)
                given = next(self._gradients).double()
                self._keep(gradient=given)
                return LossGradient(prediction, torch.zeros(len(x_t)).double(), given)
            found = super().loss_gradient(x_t, step, loss, kind)
        finally:
            self._inside = False
        self._keep(loss=found.loss, gradient=found.gradient)
        return found

    def _look(self, x_t: State, step: Step) -> None:
        """What the recorded code computes besides."""
        with torch.set_grad_enabled(self._unguided == "gradient"):
            x = x_t.detach().requires_grad_(self._unguided == "gradient")
            loss = self.loss(self.combiner.predict(x, step, self).clean_estimate)
            del self.seen["_evaluated"]
            self._keep(loss=loss)
            if self._unguided == "gradient":
                self._keep(gradient=torch.autograd.grad(loss.sum(), x)[0])

    def _keep(self, **values: Tensor) -> None:
        for name, value in values.items():
            self.seen[name].append(value.detach())

    def told(self, *names: str) -> dict[str, Tensor]:
        """What was seen of these, a row an evaluation."""
        return {name: torch.cat(self.seen[name]) for name in names if name in self.seen}


def run(guidance: LossGuidance, x: State, process: WatchedProcess, steps: Sequence[Step]) -> list[State]:
    """The states from `x` on, one more than steps, each step taken as often as the method repeats it."""
    states = [x]
    with torch.no_grad():
        for step in steps:
            states.append(guidance.repeated_step(states[-1], step, process).x_prev)
    return states
