"""Posterior sampling with latent diffusion."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.guidance.back_projection import BackProjection, back_projected, check_back_projection
from dsg.guidance.base import LossGuidance
from dsg.guidance.linear import linear_operator, require_encoder, require_linear_operator
from dsg.guidance.window import check_at_least
from dsg.models.base import ScoreModel
from dsg.process import GuidedStep, LossGradient, ReverseProcess
from dsg.types import PerSample, State, per_sample_norm
from tasks.base import Task


@dataclass(frozen=True)
class PSLD(LossGuidance):
    """Rout et al. 2023 (2307.00619), algorithm 2: DPS in latents, and a term that glues what y says to the rest,

        x_prev = μ + σ z − ω ∇_{x_t} ‖y − A D(x̂)‖ − γ ∇_{x_t} ‖x̂ − E(B y + (I − B A) D(x̂))‖

    with the decoder D, the encoder E and B = Aᵀ: x̂ has to be what is encoded of its own picture, once the measured
    part of that is replaced. One backward pass through the network, decoder and encoder each.

    The paper's norms are squared, each with its own step size (`squared`). Its code's, as DPS's, are not, and are taken
    over the whole batch; here they are each sample's own. The code's numbers: LDM, γ = 0.1 and ω = 0.1, 0.9 for
    super-resolution x4; Stable Diffusion, γ = 0.1 and ω = 1, for a box 0.01 and 0.1; 1000 steps of DDIM with η = 0.

    In pixel space D and E are the identity, and the second term is ‖B (y − A x̂)‖. DSG over this method follows its
    gradient.

    Args:
        measurement_weight: ω ≥ 0.
        gluing_weight: γ ≥ 0; 0 is DPS. Both 0 are the unguided sampler.
        squared: both norms squared, as in the paper.
        projection: B: `adjoint` Aᵀ is the paper's. Its code's Aᵀ is a mask's own, an interpolation for
            super-resolution, to which `scaled_adjoint` Aᵀ/‖A‖² is near, and for a blur nothing, `identity`.
            `pseudo_inverse` A⁺ is what FlowDPS's authors run for super-resolution.

    Raises:
        UserError: for values outside these ranges; before the first sample, for a task that is not linear, or a model
            of latents that encodes nothing.
    """

    measurement_weight: float = 1.0
    gluing_weight: float = 0.1
    squared: bool = False
    projection: BackProjection = "scaled_adjoint"

    def __post_init__(self) -> None:
        check_at_least(self.measurement_weight, 0, "measurement_weight")
        check_at_least(self.gluing_weight, 0, "gluing_weight")
        check_back_projection("PSLD", "projection", self.projection)

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        require_linear_operator("PSLD", task)
        require_encoder("PSLD", score_model)

    def is_guided(self, step: Step) -> bool:
        return self.measurement_weight > 0.0 or self.gluing_weight > 0.0

    def gradient(self, x_t: State, step: Step, process: ReverseProcess) -> LossGradient:
        """That of both terms together, with their weights; the loss is the task's alone."""
        losses: list[PerSample] = []

        def objective(clean_estimate: State) -> PerSample:
            loss, total = self.objective(clean_estimate, process)
            losses.append(loss.detach())
            return total

        return replace(process.loss_gradient(x_t, step, objective, kind="glued_loss"), loss=losses[0])

    def objective(self, clean_estimate: State, process: ReverseProcess) -> tuple[PerSample, PerSample]:
        """‖y − A D(x̂)‖, and with the second term and the weights what is descended; (B,), differentiable in x̂."""
        image = process.decode(clean_estimate)
        loss = process.task.loss(image, process.measurement)
        total = self.measurement_weight * self._powered(loss)
        if self.gluing_weight == 0.0:
            return loss, total
        residual = process.measurement.y - linear_operator(process).forward(image)
        glued = process.encode(image + back_projected(residual, self.projection, process, "projection"))
        return loss, total + self.gluing_weight * self._powered(per_sample_norm(clean_estimate - glued))

    def _powered(self, norm: PerSample) -> PerSample:
        return norm**2 if self.squared else norm

    def update(self, guided: GuidedStep, process: ReverseProcess) -> State:
        return guided.unguided - guided.gradient
