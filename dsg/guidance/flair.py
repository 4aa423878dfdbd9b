"""Flow-based latent inference: a latent between a frozen flow and a measurement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from dsg.diffusion.continuous import flow_time
from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.back_projection import BackProjection, back_projected, check_back_projection
from dsg.guidance.base import Guidance
from dsg.guidance.data_term import data_term
from dsg.guidance.linear import noise_level, require_encoder, require_inverse_problem, require_linear_operator
from dsg.guidance.steepness import steepness
from dsg.guidance.window import check_at_least
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import PerSample, State, expand_to
from tasks.base import Task


@dataclass(frozen=True)
class FLAIR(Guidance):
    """Erbach et al. 2025 (2506.02680), algorithm 1: no reverse chain, one latent μ that the flow and y pull at in turn
    while the flow's time t descends. With n̂ the noise that the last step predicted,

        n = (1−t) n̂ + √(1−(1−t)²) z,   x_t = √ā μ + √(1−ā) n      (their trajectory adjustment)
        μ ← μ − r (μ − x̂(x_t)),   r = λ w(t)/t                    (a step down λ w(t) ⟨v − u_t, μ⟩, u_t = n − μ)
        μ ← μ − h ∇ ½‖y − A D(μ)‖², K times, or until the residual is the noise's              (hard consistency)

    on any model, since t is a function of ā. No backward pass through the network, K passes through the decoder,
    forward and backward. The kernel is not asked. A record's `x_t` is the noised μ, its `x_prev` the next μ.

    The published code (Stable Diffusion 3 at 768x768): λ = 0.5, w(t) ∝ 1/MSE(t) − 1/MSE(0) of the network's velocity
    over a set of pictures, which makes r 0.7 to 0.86 from t = 0.18 to 0.8: the default is 0.8 without calibration. 50
    steps evenly in t from 1 to 0.18, K = 15, `learning_rate` 0.1 (12 for super-resolution x12), start pseudo_inverse.

    Args:
        regularisation: r in [0, 1] where nothing is calibrated, and else λ ≥ 0.
        calibration: w on an even grid of t from 1 to 0, at least two values, each at least 0; null is none.
        likelihood_steps: K ≥ 0.
        step_size: in (0, 1]: h as a share of 1/ℓ², ℓ = max(1, ‖A∘D‖), which is measured once a batch.
        learning_rate: h = 2 w(t) learning_rate instead, as published, or 2 r t learning_rate without calibration; null
            is `step_size`.
        start: μ begins at E(B y), for linear tasks, or at `noise`.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task without y = A(x), or one that
            is not linear with a B, or a model of latents that encodes nothing.
    """

    regularisation: float = 0.8
    calibration: Sequence[float] | None = None
    likelihood_steps: int = 15
    step_size: float = 0.5
    learning_rate: float | None = None
    start: BackProjection | Literal["noise"] = "scaled_adjoint"

    asks_kernel = False

    def __post_init__(self) -> None:
        check_at_least(self.regularisation, 0, "regularisation")
        check_at_least(self.likelihood_steps, 0, "likelihood_steps")
        if self.calibration is None and self.regularisation > 1.0:
            r = self.regularisation
            raise UserError(f"regularisation: FLAIR's r must be in [0, 1] without a calibration, got {r}")
        if self.calibration is not None and (len(self.calibration) < 2 or min(self.calibration) < 0.0):
            raise UserError("calibration: FLAIR's must be at least two values of at least 0, for t from 1 to 0")
        if not 0.0 < self.step_size <= 1.0:
            raise UserError(f"step_size: FLAIR's must be in (0, 1], got {self.step_size}")
        if self.learning_rate is not None and not 0.0 < self.learning_rate < math.inf:
            raise UserError(f"learning_rate: FLAIR's must be above 0, or null, got {self.learning_rate}")
        check_back_projection("FLAIR", "start", self.start, "noise")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_inverse_problem("FLAIR", task)
        if self.start != "noise":
            require_linear_operator(f"FLAIR with start {self.start}", task)
            require_encoder(f"FLAIR with start {self.start}", score_model)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        raise TypeError("FLAIR has no reverse step of its own; call `sample`")

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        mu, predicted = self._begin(x_T, process), x_T
        for step in process.steps:
            t = flow_time(step.log_snr)
            noise = (1.0 - t) * predicted + math.sqrt(1.0 - (1.0 - t) ** 2) * process.noise(mu)
            x_t = step.signal * mu + step.noise * noise
            prediction = process.predict(x_t, step)
            predicted = prediction.epsilon
            before = mu
            mu = mu - self.pull(t) * (mu - prediction.clean_estimate)
            mu, loss, gradient = self._consistent(mu, t, process)
            yield StepRecord(step, x_t, mu, prediction, Transition(before, 0.0), loss, gradient, "squared_loss")

    def weight(self, t: float) -> float:
        """λ w(t), and r t without a calibration."""
        if self.calibration is None:
            return self.regularisation * t
        nearest = round((1.0 - t) * (len(self.calibration) - 1))
        return self.regularisation * self.calibration[nearest]

    def pull(self, t: float) -> float:
        """r, at most 1."""
        return min(self.weight(t) / t, 1.0) if t > 0.0 else 0.0

    def _begin(self, x_T: State, process: ReverseProcess) -> State:
        if self.start == "noise":
            return x_T
        return process.encode(back_projected(process.measurement.y, self.start, process, "start")).to(x_T)

    def _consistent(self, mu: State, t: float, process: ReverseProcess) -> tuple[State, PerSample | None, State | None]:
        """μ after K steps, and the loss and the gradient of the first of them."""
        sigma, numbers = noise_level(process)
        least = sigma * numbers.to(mu).sqrt()
        moving = torch.ones(len(mu), dtype=torch.bool, device=mu.device)
        first_loss: PerSample | None = None
        first_gradient: State | None = None
        for k in range(self.likelihood_steps):
            loss, gradient = data_term(mu, process)
            if k == 0:
                first_loss, first_gradient = loss, gradient
            moving = moving & ~(loss <= least)
            if not moving.any():
                break
            mu = torch.where(expand_to(moving, mu), mu - self._length(mu, t, process) * gradient, mu)
        return mu, first_loss, first_gradient

    def _length(self, mu: State, t: float, process: ReverseProcess) -> State | float:
        """h, one number or (B, 1, ..., 1)."""
        if self.learning_rate is not None:
            return 2.0 * self.weight(t) * self.learning_rate
        return expand_to(self.step_size / steepness(process, mu), mu).to(mu)
