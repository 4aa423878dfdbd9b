"""Decoupled annealing posterior sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.guidance.chain import Chain, Target
from dsg.guidance.langevin import Langevin
from dsg.guidance.ode_path import EvenTimes, OdePath
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import InverseProblem, Task


@dataclass(frozen=True)
class DAPS(Guidance):
    """Zhang et al. 2025 (2407.01521), algorithm 1. At each level the state is drawn anew around a clean image:

    1. x̂ by `ode_steps` DDIM (η = 0) steps of the probability-flow ODE from x_t down to the clean image;
    2. x_0 from exp(−L(x_0, y)²/(2σ_y²) − ‖x_0 − x̂‖²/(2r²)), r = spread √(1−ā)/√ā, by a chain that starts at x̂;
    3. x_prev = √ā_prev x_0 + √(1−ā_prev) z.

    No backward pass through the network; a step takes `ode_steps` evaluations of it, fewer where fewer levels are left.
    The kernel is not asked.

    The published code: ode_steps 5 on the path PowerLaw(), spread 1, likelihood_sigma 0.01 (its τ), a chain with
    DecayingStep() and half false, and the spacing Karras(7, 0.1, 100) (docs/variants.md).

    Args:
        ode_steps: at least 1; 1 is Tweedie's clean estimate.
        spread: above 0; 1 is the paper's r. What a large one leaves in directions that y does not see has to be removed
            at the next level, and a small one keeps y out: at 50 steps 0.1, 0.3, 0.6 gave 23.3, 26.1, 25.5 dB
            (super-resolution x4 of 4 portraits).
        likelihood_sigma: σ_y of the likelihood; null is the task's. Needed where that is 0 or not Gaussian.
        chain: Langevin or HamiltonianMonteCarlo, or MetropolisHastings for a loss without a gradient.
        path: the levels of the ODE: EvenTimes, or the published code's PowerLaw.
        centre: x̂ of the chain's target: `ode`, the end of the ODE, as in the paper, or `tweedie`, the network's
            estimate at x_t (`score-t` in the published code). The chain starts at the end of the ODE all the same.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task that has no σ_y above 0,
            and for a path between timesteps where the network knows whole ones alone.
    """

    ode_steps: int = 2
    spread: float = 0.3
    likelihood_sigma: float | None = None
    chain: Chain = field(default_factory=Langevin)
    path: OdePath = field(default_factory=EvenTimes)
    centre: Literal["ode", "tweedie"] = "ode"

    asks_kernel = False
    needs_signal = True

    def __post_init__(self) -> None:
        if self.ode_steps < 1:
            raise UserError(f"ode_steps: DAPS's must be at least 1, got {self.ode_steps}")
        if not 0.0 < self.spread < math.inf:
            raise UserError(f"spread: DAPS's must be above 0, got {self.spread}")
        if self.likelihood_sigma is not None and not 0.0 < self.likelihood_sigma < math.inf:
            raise UserError(f"likelihood_sigma: DAPS's must be above 0, got {self.likelihood_sigma}")
        if self.centre not in ("ode", "tweedie"):
            raise UserError(f"centre: DAPS's must be ode or tweedie, got {self.centre!r}")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        self._sigma(task)
        if score_model.whole_timesteps and not self.path.visits_whole_timesteps:
            raise UserError(
                f"path: {type(self.path).__name__} visits levels between the network's timesteps, and "
                f"{type(score_model).__name__} knows whole timesteps alone; take EvenTimes"
            )

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        prediction, estimate = self._estimate(x_t, step, process)
        centre = estimate if self.centre == "ode" else prediction.clean_estimate
        target = Target(centre, self.spread * step.sigma, self._sigma(process.task))
        x = self.chain.draw(estimate, target, step, process)
        z = process.noise(x_t)
        unguided = _renoise(estimate, step)
        return StepRecord(step, x_t, _renoise(x, step).sample(z), prediction, unguided)

    def _estimate(self, x_t: State, step: Step, process: ReverseProcess) -> tuple[Prediction, State]:
        """The prediction at x_t, and x/√ā at the end of the ODE; all its evaluations belong to this step."""
        first = prediction = process.predict(x_t, step)
        _, *levels, end = self.path.levels(step, process.score_model.schedule, self.ode_steps)
        for level in levels:
            x_t = level.signal * prediction.clean_estimate + level.noise * prediction.epsilon
            prediction = process.predict(x_t, step.at(level))
        return first, prediction.clean_estimate + end.sigma * prediction.epsilon

    def _sigma(self, task: Task) -> float:
        if self.likelihood_sigma is not None:
            return self.likelihood_sigma
        if not isinstance(task, InverseProblem):
            raise UserError(f"DAPS: {type(task).__name__} has no noise_sigma; set likelihood_sigma")
        if task.noise_sigma == 0.0:
            raise UserError("DAPS's likelihood needs σ_y above 0; set likelihood_sigma (its code uses 0.01)")
        return task.noise_sigma


def _renoise(x: State, step: Step) -> Transition:
    return Transition(step.prev.signal * x, step.prev.noise)
