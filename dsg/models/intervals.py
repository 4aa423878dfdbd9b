"""Uniform intervals on the line as a score model: a support with edges, and everything about it known exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.special import log_ndtr

from dsg.diffusion.condition import Condition, class_labels
from dsg.diffusion.level import CLEAN, NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule, Schedule
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.types import PerSample, State

LITTLE_SIGNAL = 1e-4
"""√ā below which the first order in √ā is nearer than differences of Φ."""


class UniformIntervals(ScoreModel):
    """p_0 = Σ w_i U[l_i, h_i] in one dimension, whose noised score is a closed form; each interval is a class.

        p_t(x) = Σ w_i (Φ(b_i) − Φ(a_i)) / (a (h_i − l_i)),   b_i = (x − a l_i)/σ,   a_i = (x − a h_i)/σ
        ε = −σ ∇ log p_t = −Σ r_i (φ(b_i) − φ(a_i)) / (Φ(b_i) − Φ(a_i)),   a = √ā,   σ = √(1−ā)

    with r_i the share of interval i in p_t(x). float64 inside, from logarithms of Φ, so far from every interval too;
    differentiable in the state. The shape of a state is (1,).

    Args:
        intervals: (l_i, h_i) with l_i < h_i, in the data's units; class i is the i-th.
        weights: w_i > 0; they are normalised. Null is equal weights.
        schedule: noise levels; null is linear, 1e-4 to 2e-2 over 1000.

    Raises:
        UserError: if an interval is empty, or a weight is missing or not positive.
    """

    shape = (1,)

    def __init__(
        self,
        intervals: Sequence[tuple[float, float]] = ((-2.0, -1.0), (1.0, 2.0)),
        weights: Sequence[float] | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__()
        bounds = torch.tensor([tuple(pair) for pair in intervals], dtype=torch.float64)
        if bounds.ndim != 2 or bounds.shape[1] != 2 or not (bounds.isfinite().all() and (bounds.diff() > 0).all()):
            raise UserError(f"UniformIntervals: intervals must be pairs low < high, got {intervals}")
        w = torch.ones(len(bounds)) if weights is None else torch.as_tensor(weights)
        if w.shape != bounds.shape[:1] or not (w.isfinite().all() and (w > 0).all()):
            raise UserError(f"UniformIntervals: weights must be {len(bounds)} positive numbers, got {weights}")
        self._bounds, self._log_weights = bounds, (w.double() / w.double().sum()).log()
        self.num_classes = len(bounds)
        self.schedule = schedule or NoiseSchedule("linear", 1000, 1e-4, 2e-2)
        self.freeze()

    @property
    def knows_marginal(self) -> bool:
        return True  # the sum over all intervals

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        labels = None if condition is None else class_labels(condition, "UniformIntervals")
        score = self.score(x_t, level, labels)
        return Prediction(self._denoised(x_t, score, level, labels).float(), (-level.noise * score).float())

    def score(self, x: State, level: NoiseLevel, condition: Tensor | None = None) -> State:
        """∇ log p_t(x), or of p_t(x | class), (B, 1) float64."""
        if level.signal < LITTLE_SIGNAL:
            return (level.signal * self._denoised_in_noise(x, level, condition) - x.double()) / level.noise_variance
        log_mass, upper, lower = self._masses(x, level)
        # φ(b)/(Φ(b) − Φ(a)) as one exponential, for both may be smaller than any number
        ratio = [(-0.5 * z.square() - log_mass).exp() / math.sqrt(2 * math.pi) for z in (upper, lower)]
        share = self._log_joint(x, level, condition).softmax(1)
        return (share * (ratio[0] - ratio[1])).sum(1, keepdim=True) / level.noise

    def denoise(self, x: State, level: NoiseLevel, condition: Tensor | None = None) -> State:
        """E[x_0 | x_t] = (x_t + (1−ā) score)/√ā, (B, 1) float64."""
        return self._denoised(x, self.score(x, level, condition), level, condition)

    def _denoised(self, x: State, score: State, level: NoiseLevel, condition: Tensor | None) -> State:
        if level.signal < LITTLE_SIGNAL:
            return self._denoised_in_noise(x, level, condition)
        return (x.double() + level.noise_variance * score) / level.signal

    def _denoised_in_noise(self, x: State, level: NoiseLevel, condition: Tensor | None) -> State:
        """The same to first order in √ā, where the difference of masses has no digits left: Σ r_i (m_i + √ā V_i x)."""
        share, bounds = self._log_joint(x, level, condition).softmax(1), self._bounds.to(x.device)
        variances = bounds.diff(dim=1) ** 2 / 12
        return share @ bounds.mean(1, keepdim=True) + level.signal * (share @ variances) * x.double()

    def log_prob(self, x: State, level: NoiseLevel | None = None, condition: Tensor | None = None) -> PerSample:
        """log p_t(x), or log p_t(x | class); without a level, of clean samples. (B,) float64."""
        log_joint = self._log_joint(x, level or CLEAN, condition).logsumexp(1)
        return log_joint if condition is None else log_joint - self._log_weights.to(x.device)[condition.to(x.device)]

    def classifier_log_prob(self, x: State, condition: Tensor, level: NoiseLevel | None = None) -> PerSample:
        """log p_t(class | x), (B,) float64; without a level, of clean samples, and NaN for x outside every interval."""
        own = self._log_joint(x, level or CLEAN, condition).logsumexp(1)
        return own - self._log_joint(x, level or CLEAN, None).logsumexp(1)

    def sample(self, n: int, generator: torch.Generator | None = None, condition: Tensor | None = None) -> Tensor:
        """n exact clean samples, (n, 1) float64 on the CPU; `condition` is (n,) classes."""
        uniform = torch.rand(n, 2, generator=generator, dtype=torch.float64)
        drawn = (self._log_weights.exp().cumsum(0) < uniform[:, :1]).sum(1).clamp(max=len(self._bounds) - 1)
        low, high = self._bounds[drawn if condition is None else condition.cpu()].T
        return (low + (high - low) * uniform[:, 1])[:, None]

    def _masses(self, x: State, level: NoiseLevel) -> tuple[Tensor, Tensor, Tensor]:
        """(log(Φ(b) − Φ(a)), b, a), (B, K) each; mirrored where a > 0, so that the smaller tail is never 1 minus it."""
        ends = level.signal * self._bounds.to(x.device)
        upper, lower = ((x.double() - ends[:, side]) / level.noise for side in (0, 1))
        larger, smaller = (
            log_ndtr(torch.where(lower > 0, -lower, upper)),
            log_ndtr(torch.where(lower > 0, -upper, lower)),
        )
        return larger + torch.log(-torch.expm1(smaller - larger)), upper, lower

    def _log_joint(self, x: State, level: NoiseLevel, condition: Tensor | None) -> Tensor:
        """log w_i p_t(x | i), (B, K); −∞ at other classes than each sample's."""
        low, high = self._bounds.to(x.device).T
        joint = self._log_weights.to(x.device) + self._log_densities(x, level, low, high)
        if condition is None:
            return joint
        other = torch.arange(len(low), device=x.device) != condition.to(x.device)[:, None]
        return joint.masked_fill(other, -math.inf)

    def _log_densities(self, x: State, level: NoiseLevel, low: Tensor, high: Tensor) -> Tensor:
        if level.signal < LITTLE_SIGNAL:  # N(√ā m_i, 1) to first order in √ā
            middle = (low + high) / 2
            return level.signal * middle * x.double() - 0.5 * (x.double().square() + math.log(2 * math.pi))
        if level.noise == 0.0:
            return torch.where((x >= low) & (x <= high), -(high - low).log(), -math.inf)
        return self._masses(x, level)[0] - (level.signal * (high - low)).log()
