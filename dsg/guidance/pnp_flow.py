"""PnP-Flow: a flow as the denoiser of a plug-and-play algorithm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from dsg.diffusion.continuous import flow_time
from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.errors import UserError
from dsg.guidance.base import Guidance
from dsg.guidance.data_term import data_term
from dsg.guidance.linear import require_inverse_problem
from dsg.guidance.steepness import squared_norm
from dsg.guidance.window import check_at_least
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State, expand_to
from tasks.base import Task


@dataclass(frozen=True)
class PnPFlow(Guidance):
    """Martin et al. 2025 (2410.02423), PnP Flow Matching: no reverse chain, one picture m that goes down the data term,
    is noised to the flow's time t, from 1, noise, to 0, and is denoised, by K draws of the noise,

        m ← m − γ_t ∇ ½‖y − A m‖²,   γ_t = step_size t^decay / ‖A∘D‖²
        m ← the mean over k of x̂(√ā m + √(1−ā) z_k)

    on any model, since t is a function of ā. The paper's γ_t is its learning rate times t^α with σ_y² taken out, for
    operators of norm 1; the norm, which is measured once a batch, makes it the same share of what is stable for
    others. x_T is not used: m begins at 0, of which noise alone leaves nothing. No backward pass through the
    network; of latents, one pass through the decoder a step, forward and backward. The kernel is not asked. A record's
    `x_t` and its `prediction` are those of the last draw, its `x_prev` is the next m.

    The published code: 100 steps evenly in t from 1 to 0.01, step_size 1, K = 5, decay 0.01 (deblurring, random
    inpainting), 0.3 (super-resolution), 0.5 (a box) or 0.8 (denoising) on CelebA at 128x128.

    Args:
        step_size: in (0, 2), above which a descent of the data term leaves all bounds.
        decay: α ≥ 0: the larger, the less of y is put in towards the end.
        draws: K ≥ 1, network evaluations a step.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task without y = A(x).
    """

    step_size: float = 1.0
    decay: float = 0.3
    draws: int = 5

    asks_kernel = False

    def __post_init__(self) -> None:
        if not 0.0 < self.step_size < 2.0:
            raise UserError(f"step_size: PnP-Flow's must be in (0, 2), got {self.step_size}")
        check_at_least(self.decay, 0, "decay")
        check_at_least(self.draws, 1, "draws")

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_inverse_problem("PnP-Flow", task)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        raise TypeError("PnP-Flow has no reverse step of its own; call `sample`")

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        m = torch.zeros_like(x_T)
        for step in process.steps:
            loss, gradient = data_term(m, process)
            moved = m - self._share(step, m, process) * gradient
            record = self._denoised(moved, step, process)
            yield replace(record, loss=loss, gradient=gradient, gradient_kind="squared_loss")
            m = record.x_prev

    def _share(self, step: Step, m: State, process: ReverseProcess) -> State:
        """γ_t, (B, 1, ..., 1)."""
        norm = squared_norm(process, m)  # of an A that sees nothing the gradient is 0
        share = self.step_size * flow_time(step.log_snr) ** self.decay / norm.where(norm > 0, 1.0)
        return expand_to(share, m).to(m)

    def _denoised(self, moved: State, step: Step, process: ReverseProcess) -> StepRecord:
        estimates: list[State] = []
        for _ in range(self.draws):
            x_t = step.signal * moved + step.noise * process.noise(moved)
            prediction = process.predict(x_t, step)
            estimates.append(prediction.clean_estimate)
        mean = torch.stack(estimates).mean(dim=0)
        return StepRecord(step, x_t, mean, prediction, Transition(moved, 0.0))
