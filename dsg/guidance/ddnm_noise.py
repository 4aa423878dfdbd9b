"""How DDNM hides the noise of a measurement in the noise of the reverse process: the ways of its paper and of codes.

A way makes x_prev from the step's parts. s is a singular value of A, z fresh noise, and the kernel's mean is a x̂ + b ε
+ ..., its standard deviation σ. The paper's ways take any such kernel. Those of codes know one, Renoise, where a =
√ā_prev, and σ and b make up the noise of the next level, T = √(1−ā_prev): σ = η T, b = √(1−η²) T.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.types import State
from tasks.operators import LinearOperator
from tasks.operators.spectral import SpectralOperator

Way = Literal["spectral", "simplified", "spectral_code", "simplified_code", "simplified_inversebench"]


@dataclass(frozen=True)
class Parts:
    """What a step is made of.

    Args:
        step: the levels that it goes between.
        operator: A; a SpectralOperator for the spectral ways.
        y: the measurement.
        sigma_y: of its noise.
        prediction: the network's.
        noise: z, (B, *shape).
        std: σ of the kernel.
        response: a.
        mean: the kernel's mean from another x̂.
        cutoff: singular values up to this share of the largest count as 0.
    """

    step: Step
    operator: LinearOperator
    y: State
    sigma_y: float
    prediction: Prediction
    noise: State
    std: float
    response: float
    mean: Callable[[State], State]
    cutoff: float

    @property
    def kept(self) -> float:
        """b = √(1−ā_prev−σ²), by which a kernel that renoises multiplies ε."""
        return math.sqrt(max(self.step.prev.noise_variance - self.std**2, 0.0))

    def corrected(self, share: float) -> State:
        """x̂ − λ A⁺(A x̂ − y)."""
        estimate = self.prediction.clean_estimate
        return estimate - share * self.operator.pseudo_inverse(self.operator.forward(estimate) - self.y)

    def hidden(self, std: float, response: float) -> tuple[float, float]:
        """λ and √γ of s = 1: λ = min(1, σ/(a σ_y)), γ = σ² − (a λ σ_y)²."""
        amplified = response * self.sigma_y
        share = min(1.0, std / amplified) if amplified > 0.0 else 1.0
        return share, math.sqrt(max(std**2 - (share * amplified) ** 2, 0.0))


def spectral(parts: Parts) -> State:
    """The paper's: λ and γ for each singular direction, as in the docstring of DDNM."""
    operator, inverse = _spectrum(parts)
    amplified = parts.response * parts.sigma_y * inverse  # a σ_y/s, and 0 where s is
    share = torch.where(amplified > parts.std, parts.std / torch.where(amplified > parts.std, amplified, 1), 1)
    deviation = (parts.std**2 - (share * amplified) ** 2).clamp(min=0).sqrt()
    estimate = parts.prediction.clean_estimate
    correction = operator.v(share * inverse * operator.u_adjoint(operator.forward(estimate) - parts.y))
    fresh = parts.std * parts.noise + operator.v((deviation - parts.std) * operator.v_adjoint(parts.noise))
    return parts.mean(estimate - correction) + fresh


def simplified(parts: Parts) -> State:
    """The paper's section 3.3: one λ and γ for the whole image, those of s = 1."""
    share, deviation = parts.hidden(parts.std, parts.response)
    return parts.mean(parts.corrected(share)) + deviation * parts.noise


def spectral_code(parts: Parts) -> State:
    """The authors' SVD code: T hides the noise, and where A sees, ε is dropped.

    a σ_y/s < T:   λ = 1,                 noise √(T² − (a σ_y/s)²) z
    a σ_y/s > T:   λ = b s/(a σ_y),       noise σ z
    s = 0:         λ = 1,                 noise σ z + b ε
    """
    operator, inverse = _spectrum(parts)
    total, normal = parts.step.prev.noise, operator.v_adjoint(parts.noise)
    amplified = parts.step.prev.signal * parts.sigma_y * inverse
    strong = amplified > total
    share = torch.where(strong, parts.kept / torch.where(strong, amplified, 1), 1)
    deviation = torch.where(strong, parts.std, (total**2 - amplified**2).clamp(min=0).sqrt())
    estimate, epsilon = parts.prediction.clean_estimate, parts.prediction.epsilon
    correction = operator.v(share * inverse * operator.u_adjoint(operator.forward(estimate) - parts.y))
    unseen = parts.std * parts.noise + parts.kept * epsilon
    change = torch.where(inverse > 0, deviation * normal - operator.v_adjoint(unseen), 0)
    return parts.step.prev.signal * (estimate - correction) + unseen + operator.v(change)


def simplified_code(parts: Parts) -> State:
    """The authors' simplified code: ā_prev where the paper has its root, and too little noise of both kinds.

    T = √(1−ā_prev²), λ = min(1, T/(ā_prev σ_y)), x_prev = √ā_prev x̂ + √(T² − (ā_prev λ σ_y)²) (σ z + b ε).
    """
    a = parts.step.prev.alpha_bar
    share, deviation = parts.hidden(math.sqrt(parts.step.prev.noise_variance * (1.0 + a)), a)
    noise = parts.std * parts.noise + parts.kept * parts.prediction.epsilon
    return parts.step.prev.signal * parts.corrected(share) + deviation * noise


def simplified_inversebench(parts: Parts) -> State:
    """InverseBench's, of x/√ā: λ = min(1, T/(√ā_prev σ_y)), noise η √(T² − (√ā_prev λ σ_y)²) z, and ε as it is."""
    total = parts.step.prev.noise
    share, deviation = parts.hidden(total, parts.step.prev.signal)
    fresh = 0.0 if total == 0.0 else parts.std / total * deviation
    return parts.mean(parts.corrected(share)) + fresh * parts.noise


WAYS: dict[Way, Callable[[Parts], State]] = {
    "spectral": spectral,
    "simplified": simplified,
    "spectral_code": spectral_code,
    "simplified_code": simplified_code,
    "simplified_inversebench": simplified_inversebench,
}
SPECTRAL: tuple[Way, ...] = ("spectral", "spectral_code")
RENOISING: tuple[Way, ...] = ("spectral_code", "simplified_code", "simplified_inversebench")


def _spectrum(parts: Parts) -> tuple[SpectralOperator, State]:
    """A and its s⁺."""
    assert isinstance(parts.operator, SpectralOperator), "checked before the first sample"
    return parts.operator, parts.operator.inverse_singular_values(parts.y, parts.cutoff)
