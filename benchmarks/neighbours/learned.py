"""What a network may have learned of a long-tailed mixture of one-dimensional classes, also as a score model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.neighbours.exact.class_balance import TIMESTEPS, Mixture, balanced, balancing
from dsg.diffusion.condition import Condition, class_labels
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.models.base import ScoreModel
from dsg.types import State

SHARES = np.array([1.0, 0.1, 0.01]) / 1.11
TRUTH = Mixture(SHARES, np.array([-2.0, 0.0, 2.0]), np.ones(3))
Classes = Callable[[np.ndarray, float], np.ndarray]
"""What a network says of every class, in D of the exact file: x (n,), a → (C, n)."""


@dataclass(frozen=True)
class Learned:
    """What a network has learned: D of its classes, and of no class."""

    classes: Classes
    marginal: Classes

    def guided(self, label: int, scale: Callable[[float], float]) -> Classes:
        """dx/da of classifier-free guidance with γ = scale(a)."""

        def field(x: np.ndarray, a: float) -> np.ndarray:
            weak = self.marginal(x, a)
            return weak + scale(a) * (self.classes(x, a)[label] - weak)

        return field


class LearnedModel(ScoreModel):
    """The same as a score model of states (1,): ε = √(1−ā) (x − a D), x̂ = a x + (1−ā) D."""

    shape, num_classes = (1,), 3

    def __init__(self, learned: Learned) -> None:
        super().__init__()
        self.learned, self.schedule = learned, NoiseSchedule("linear", TIMESTEPS, 1e-4, 2e-2)
        self.freeze()

    @property
    def knows_marginal(self) -> bool:
        return True

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        x, a = x_t.double()[:, 0].numpy(), level.signal
        if condition is None:
            direction = self.learned.marginal(x, a)
        else:
            labels = class_labels(condition, "LearnedModel").numpy()
            direction = self.learned.classes(x, a)[labels, np.arange(len(x))]
        d = torch.from_numpy(direction)[:, None]
        epsilon = level.noise * (x_t.double() - a * d)
        return Prediction((a * x_t.double() + level.noise_variance * d).float(), epsilon.float())


def exact() -> Learned:
    return Learned(TRUTH.directions, TRUTH.marginal)


def fitted(mean: float = 0.0, variance: float = 1.0) -> Learned:
    """The tail's fit has its mean off by `mean` and another variance; the marginal is that of the fits."""
    fit = Mixture(SHARES, TRUTH.means + np.array([0.0, 0.0, mean]), np.array([1.0, 1.0, variance]))
    return Learned(fit.directions, fit.marginal)


def shrunk(share: float) -> Learned:
    """Every class is drawn to the marginal: D + α (D_y − D)."""

    def classes(x: np.ndarray, a: float) -> np.ndarray:
        weak = TRUTH.marginal(x, a)
        return weak + share * (TRUTH.directions(x, a) - weak)

    return Learned(classes, TRUTH.marginal)


def class_balanced(q: np.ndarray, tau: float = 1.0) -> Learned:
    """What class-balancing diffusion teaches with labels y' of q, in the limit of all samples."""

    def classes(x: np.ndarray, a: float) -> np.ndarray:
        return balanced(TRUTH.directions(x, a), TRUTH.posterior(x, a), q, balancing(a, tau))

    return Learned(classes, TRUTH.marginal)
