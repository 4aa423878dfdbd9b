"""CFG++: classifier-free guidance by interpolation, renoised with the unconditional prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dsg.combiners.base import Evaluations, PredictionCombiner, check_both_ways, labels_of
from dsg.diffusion.kernels import DDIM, ReverseKernel
from dsg.diffusion.prediction import ModelOutput, Prediction
from dsg.diffusion.schedule import Step
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import State


@dataclass(frozen=True)
class CFGPlusPlus(PredictionCombiner):
    """Chung et al. 2024 (2406.08070): x̂ is of the combined prediction and the noise that is put back is not,

        x̂ = (x_t − √(1−ā) ε_λ)/√ā,   ε_λ = ε_u + λ (ε_c − ε_u),   x_prev = √ā_prev x̂ + √(1−ā_prev) ε_u

    so the prediction's two parts do not belong to each other. Loss guidance sees x̂. Clipping clamps x̂, and ε_u becomes
    the one of the clamped unconditional estimate. DDPM's posterior mean uses no ε; the method needs DDIM.

    Args:
        guidance_scale: λ in [0, 1]; 0 is the unconditional model. λ = 1 is not the conditional one.

    Raises:
        UserError: for values outside this range, a kernel that is not DDIM, or a model without classes or null class.
    """

    guidance_scale: float = 0.6

    needs_labels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.guidance_scale <= 1.0:
            raise UserError(f"guidance_scale: the λ of CFG++ must be in [0, 1], got {self.guidance_scale}")

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        check_both_ways(score_model, self)
        if not isinstance(kernel, DDIM):
            raise UserError("CFG++ changes how DDIM puts noise back; set model.kernel to dsg.diffusion.kernels.DDIM")

    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        conditional = process.evaluate(x_t, step, labels_of(process))
        unconditional = process.evaluate(x_t, step, None)
        epsilon = unconditional.epsilon + self.guidance_scale * (conditional.epsilon - unconditional.epsilon)
        combined = ModelOutput(epsilon, conditional.variance_range)
        forward = Prediction.from_output(combined, x_t, step, process.clip_denoised)
        renoise = Prediction.from_output(unconditional, x_t, step, process.clip_denoised)
        return Prediction(forward.clean_estimate, renoise.epsilon, forward.variance_range)
