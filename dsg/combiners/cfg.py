"""Classifier-free guidance."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dsg.combiners.acted_on import On, check_knows, check_on, kind_of, part, with_part
from dsg.combiners.base import Evaluations
from dsg.combiners.extrapolation import Extrapolation
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import PerSample, State, expand_to


@dataclass(frozen=True)
class ClassifierFree(Extrapolation):
    """Ho & Salimans 2022 (2207.12598), eq. 6:

        ε = ε_u + γ (ε_c − ε_u)

    in an interval of noise levels (Kynkäänniemi et al. 2024, 2404.07724), and rescaled so that the spread of each
    sample's prediction is nearer to the conditional one's (Lin et al. 2023, 2305.08891, sec. 3.4):

        v ← (φ std(v_c)/std(v) + 1 − φ) v

    As there, that is done on the velocity v; at high noise every ε has spread 1 and there would be nothing to rescale.
    diffusers does it on whatever the network predicts: `acts_on` prediction. Its `use_original_formulation` counts
    w = γ − 1 as its scale, and is the same map.

    Args:
        guidance_scale: γ = 1 + w ≥ 0, a number, a ScaleSchedule, or one for each class; 1 is the conditional model,
            by one evaluation, 0 the unconditional one.
        t_low: least noisy timestep that is guided, at least 0.
        t_high: noisiest timestep that is guided; None guides from the start.
        rescale: φ in [0, 1]; 0 does not rescale.
        acts_on: what is rescaled, `v` in the paper; `epsilon`, `denoised`, `velocity`, or the network's own
            `prediction`.

    Raises:
        UserError: for values outside these ranges, or a model that has no classes or no null class.
    """

    rescale: float = 0.0
    acts_on: On = "v"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.rescale <= 1.0:
            raise UserError(f"rescale: φ must be in [0, 1], got {self.rescale}")
        check_on(self.acts_on)

    @property
    def needs_signal(self) -> bool:  # type: ignore[override]
        return self.rescale > 0.0 and self.acts_on == "epsilon"

    def check(self, score_model: ScoreModel, kernel: ReverseKernel) -> None:
        super().check(score_model, kernel)
        if self.rescale > 0.0:
            check_knows(self.acts_on, score_model)

    def combine(self, strong: Prediction, weak: Prediction, x_t: State, step: Step, process: Evaluations) -> Prediction:
        combined = weak.towards(strong, self.scale(x_t, step, process))
        if self.rescale == 0.0:
            return combined
        kind = kind_of(self.acts_on, process.score_model)
        value = part(combined, kind, step)
        wanted, found = _std(part(strong, kind, step)), _std(value)
        ratio = torch.where(found > 0, wanted / torch.where(found > 0, found, 1), 1)
        factor = self.rescale * ratio + (1.0 - self.rescale)
        return with_part(combined, kind, expand_to(factor, value) * value, x_t, step)


def _std(x: State) -> PerSample:
    return x.flatten(1).std(dim=1)
