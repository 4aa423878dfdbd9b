"""CFG++: classifier-free guidance by interpolation, renoised with the unconditional prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dsg.combiners.base import Evaluations, PredictionCombiner, check_both_ways, condition_of, null_of
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import State


@dataclass(frozen=True)
class CFGPlusPlus(PredictionCombiner):
    """Chung et al. 2024 (2406.08070): x̂ is of the combined prediction and the noise that is put back is not,

        x̂ = (x_t − √(1−ā) ε_λ)/√ā,   ε_λ = ε_u + λ (ε_c − ε_u),   x_prev = √ā_prev x̂ + √(1−ā_prev) ε_u

    so the prediction's two parts do not belong to each other. Loss guidance sees x̂. Clipping clamps x̂, and ε_u becomes
    the one of the clamped unconditional estimate. A kernel has to read ε apart from x̂, as DDIM does.

    Args:
        guidance_scale: λ in [0, 1]; 0 is the unconditional model. λ = 1 is not the conditional one.

    Raises:
        UserError: for values outside this range, a kernel that does not renoise with ε, or a model that cannot be
            evaluated with a condition and without.
    """

    guidance_scale: float = 0.6

    needs_condition: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.guidance_scale <= 1.0:
            raise UserError(f"guidance_scale: the λ of CFG++ must be in [0, 1], got {self.guidance_scale}")

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        check_both_ways(score_model, self)
        if not kernel.renoises:
            raise UserError(
                f"combiner: CFG++ changes how noise is put back, and {type(kernel).__name__} reads x̂ and ε as one; set "
                "model.kernel to dsg.diffusion.kernels.DDIM"
            )

    def predict(self, x_t: State, step: Step, process: Evaluations) -> Prediction:
        conditional = process.evaluate(x_t, step, condition_of(process))
        unconditional = process.evaluate(x_t, step, null_of(process))
        forward = process.clamped(unconditional.towards(conditional, self.guidance_scale), x_t, step)
        renoise = process.clamped(unconditional, x_t, step)
        return Prediction(forward.clean_estimate, renoise.epsilon, forward.variance_range)
