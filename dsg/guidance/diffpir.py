"""Plug-and-play image restoration with a diffusion denoiser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import CLEAN, Step
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule, Schedule
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.guidance.data_term import data_term
from dsg.guidance.linear import linear_operator, noise_sigma, require_gaussian, require_linear
from dsg.guidance.steepness import steepness
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State, expand_to
from tasks.base import Task

DataStep = Literal["proximal", "first_order", "bounded_first_order"]


@dataclass(frozen=True)
class DiffPIR(Guidance):
    """Zhu et al. 2023 (2305.08995), algorithm 1: a data step on the clean estimate, then its own re-noising.

        x̂ ← argmin_u ‖y − A u‖² + ρ ‖u − x̂‖²,   ρ = λ σ_y² ā/(1−ā)
        ε̂ = (x_t − √ā x̂)/√(1−ā)
        x_prev = √ā_prev x̂ + √(1−ā_prev) (√(1−ζ) ε̂ + √ζ z)

    No backward pass, and the reverse kernel is not asked. For σ_y = 0, ρ = 0: x̂ ← x̂ − A⁺(A x̂ − y).

    Where A is not linear, the data step is one of first order, with L = ‖y − A x̂‖:

    - `first_order`: x̂ ← x̂ − ∇½L²/ρ, the paper's (eq. 13) and that of its code and InverseBench's. ρ is near 0 at the
      first levels, where it leaves all bounds unless λ is in the thousands or the trajectory begins late.
    - `bounded_first_order`: x̂ ← x̂ − ∇½L²/(ρ + ℓ²), ℓ = max(1, ‖A‖): the minimiser of a bound of the proximal problem,
      which is never longer than what is stable, and the proximal point itself where A Aᵀ = I.

    Args:
        regularisation: λ > 0; the larger, the more the network is believed.
        stochasticity: ζ in [0, 1]: 0 keeps the noise that is in x_t, 1 draws it afresh.
        data_step: `proximal`, for linear tasks, or one of first order, for any with Gaussian noise.
        eta: η in [0, 1] of the published code, which the paper has not: ε̂ is mixed with fresh noise,
            √(1−ā_prev) ε̂ ← √(1−ā_prev−s²) ε̂ + s z, s = η √(β (1−ā_prev)/(1−ā)), where β is that of one timestep of the
            model's table and not of the step.
        unit_noise: σ_y in ρ as the published code has it, on images in [0, 1], while they are in [−1, 1]: ρ is a
            quarter of the paper's. λ makes up for it.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task that is not Gaussian, or not
            linear with `proximal`, or without noise with `first_order`, and for η > 0 without a table of timesteps.
    """

    regularisation: float = 3.0
    stochasticity: float = 1.0
    data_step: DataStep = "proximal"
    eta: float = 0.0
    unit_noise: bool = False

    asks_kernel = False

    def __post_init__(self) -> None:
        if not 0.0 < self.regularisation < math.inf:
            raise UserError(f"regularisation: DiffPIR's λ must be above 0, got {self.regularisation}")
        for name, letter, value in (("stochasticity", "ζ", self.stochasticity), ("eta", "η", self.eta)):
            if not 0.0 <= value <= 1.0:
                raise UserError(f"{name}: DiffPIR's {letter} must be in [0, 1], got {value}")
        if self.data_step not in ("proximal", "first_order", "bounded_first_order"):
            raise UserError(
                f"data_step: DiffPIR's must be proximal, first_order or bounded_first_order, got {self.data_step!r}"
            )

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        if self.data_step == "proximal":
            require_linear("DiffPIR with data_step proximal", task, score_model)
        elif require_gaussian("DiffPIR", task) == 0.0 and self.data_step == "first_order":
            raise UserError(
                "DiffPIR's first-order step divides by σ_y, and the task has none; set data_step bounded_first_order"
            )
        if self.eta > 0.0 and not isinstance(score_model.schedule, NoiseSchedule):
            schedule = type(score_model.schedule).__name__
            raise UserError(f"eta: DiffPIR's has the β of a table of timesteps, and {schedule} has none; set it to 0")

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        prediction = process.predict(x_t, step)
        estimate = self._data_step(prediction.clean_estimate, step, process)
        schedule = process.score_model.schedule
        guided = self._renoise(Prediction.from_clean(estimate, x_t, step), step, schedule)
        x_prev = guided.sample(process.noise(x_t))
        return StepRecord(step, x_t, x_prev, prediction, self._renoise(prediction, step, schedule))

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        """Of `first_order`, whose step is 1/ρ, and ρ is 0 at ā = 0."""
        return self.data_step == "first_order"

    def _data_step(self, estimate: State, step: Step, process: ReverseProcess) -> State:
        sigma = noise_sigma(process) * (0.5 if self.unit_noise else 1.0)
        rho = self.regularisation * sigma**2 * step.alpha_bar / step.noise_variance
        if self.data_step == "proximal":
            return linear_operator(process).proximal(estimate, process.measurement.y, rho)
        _, gradient = data_term(estimate, process)
        if self.data_step == "first_order":
            return estimate - gradient / rho
        return estimate - gradient / expand_to(rho + steepness(process, estimate), estimate).to(estimate)

    def _renoise(self, prediction: Prediction, step: Step, schedule: Schedule) -> Transition:
        fresh, share = step.prev.noise_variance, self.stochasticity
        drawn = self.eta**2 * fresh * _beta_of_a_timestep(step, schedule) / step.noise_variance if self.eta else 0.0
        kept = math.sqrt((1.0 - share) * (fresh - drawn))
        std = math.sqrt((1.0 - share) * drawn + share * fresh)
        return Transition(step.prev.signal * prediction.clean_estimate + kept * prediction.epsilon, std)


def _beta_of_a_timestep(step: Step, schedule: Schedule) -> float:
    """β_t of one timestep of a table, whatever the step skips; that of its first is 1 − ā."""
    prev = schedule.level(step.t - 1.0) if step.t >= 1.0 else CLEAN
    return Step(step.t, step.log_snr, prev, index=0, total=1).beta
