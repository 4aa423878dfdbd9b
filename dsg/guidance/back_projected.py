"""The measurement itself, taken back to where states are: no model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.guidance.back_projection import BackProjection, back_projected, check_back_projection
from dsg.guidance.base import Guidance
from dsg.guidance.linear import require_encoder, require_linear_operator
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import Task


@dataclass(frozen=True)
class BackProjected(Guidance):
    """x = E(B y): what a method has to beat. With tasks.Denoising of σ_y = 0 it is E of the picture, and the sample is
    D(E(x)): the best that any method can do through this autoencoder.

    One step, without an evaluation of the network. In pixel space E is the identity.

    Args:
        projection: B; see dsg.guidance.back_projection.

    Raises:
        UserError: for another B; before the first sample, for a task that is not linear, or a model of latents that
            encodes nothing.
    """

    projection: BackProjection = "pseudo_inverse"

    asks_kernel = False
    own_prediction = True

    def __post_init__(self) -> None:
        check_back_projection("BackProjected", "projection", self.projection)

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_linear_operator("BackProjected", task)
        require_encoder("BackProjected", score_model)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        state = process.encode(back_projected(process.measurement.y, self.projection, process, "projection")).to(x_t)
        return StepRecord(step, x_t, state, Prediction(state, torch.zeros_like(state)), Transition(state, 0.0))

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        yield self.step(x_T, process.steps[-1], process)
