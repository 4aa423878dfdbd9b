"""How much RED-diff believes the network at each level of noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

Weighting = Literal["linear", "sqrt", "square", "log", "trunc_linear", "power2over3", "const"]

_WEIGHTINGS: dict[Weighting, Callable[[float], float]] = {
    "linear": lambda sigma: sigma,
    "sqrt": math.sqrt,
    "square": lambda sigma: sigma**2,
    "log": math.log1p,
    "trunc_linear": lambda sigma: min(sigma, 1.0),
    "power2over3": lambda sigma: sigma ** (2.0 / 3.0),
    "const": lambda sigma: 1.0,
}
WEIGHTINGS = tuple(_WEIGHTINGS)


def pull_of(weighting: Weighting, sigma: float) -> float:
    """ω/σ, by which λ (m − x̂) is multiplied where the published λ_t is λ ω; σ = √((1−ā)/ā) > 0, which may be ∞.

    | name | ω |
    |---|---|
    | linear | σ |
    | sqrt | √σ |
    | square | σ² |
    | log | log(1+σ) |
    | trunc_linear | min(σ, 1) |
    | power2over3 | σ^⅔ |
    | const | 1 |

    `square` is not finite at σ = ∞; the others there are 1 (linear) and 0.
    """
    if weighting == "linear":
        return 1.0
    if math.isinf(sigma):
        return math.inf if weighting == "square" else 0.0
    return _WEIGHTINGS[weighting](sigma) / sigma
