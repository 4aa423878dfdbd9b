"""A Gaussian mixture as a score model: it is known exactly, so a method can be measured against truth."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dsg.diffusion.condition import Condition, class_labels
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule, Schedule
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.checkpoint import read_state_dict
from dsg.models.mixture.components import Components, SharedCovariance
from dsg.models.mixture.parameters import covariance_spectrum, mixture_posterior, read_numbers
from dsg.models.weights import WeightFiles
from dsg.types import PerSample, State, at_least_float32

NO_SIGNAL = 1e-6
"""√ā up to which x̂ is summed from the components' own; above it Tweedie's formula has all digits, and is faster."""


class GaussianMixture(ScoreModel):
    """p_0 = Σ w_i N(μ_i, S_i), whose noised score, denoiser and posterior are closed forms.

        ε = √(1−ā) Σ r_i C_i^{-1} (x_t − √ā μ_i),   C_i = ā S_i + (1−ā) I,   r_i ∝ w_i N(x_t; √ā μ_i, C_i)

    float64 inside; differentiable in the state. With classes, a condition restricts the sum to that class's components.

    Args:
        weights: w_i > 0, (K,); they are normalised.
        means: μ_i, (K, d), or (K, *shape).
        covariances: S_i as one variance or one matrix (1, d, d) for all, or (K,) variances, (K, d) diagonals, or
            (K, d, d) matrices; ≥ 0. One for all is much the fastest.
        classes: class label of each component, (K,), 0 to C−1, each used; null is unconditional.
        parameters: safetensors file with `weights`, `means`, `covariances` and perhaps `classes`, instead of the lists.
        shape: shape of one state, with d numbers in it; null is that of the means.
        schedule: noise levels; null is linear, 1e-4 to 2e-2 over 1000.

    Raises:
        UserError: if shapes do not fit together, a weight is not positive or a covariance is no covariance.
    """

    def __init__(
        self,
        weights: list[float] | Tensor | None = None,
        means: list[list[float]] | Tensor | None = None,
        covariances: float | list[float] | list[list[float]] | list[list[list[float]]] | Tensor | None = None,
        classes: list[int] | Tensor | None = None,
        parameters: str | None = None,
        shape: tuple[int, ...] | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__()
        if parameters is not None:
            given: dict[str, Any] = read_state_dict(parameters)
            self.weight_files = WeightFiles({Path(parameters).name: parameters})
        else:
            given = {"weights": weights, "means": means, "covariances": covariances, "classes": classes}
        w, mu, cov, labels = read_numbers(given, parameters)
        eigenvalues, basis = covariance_spectrum(cov, *mu.flatten(1).shape)
        kind = SharedCovariance if len(eigenvalues) == 1 else Components
        self._components = kind((w / w.sum()).log(), mu.flatten(1), eigenvalues, basis)
        self._classes = labels
        self.shape = tuple(shape) if shape is not None else tuple(mu.shape[1:])
        if math.prod(self.shape) != self.dimension:
            raise UserError(f"GaussianMixture: shape {self.shape} does not hold the means' {self.dimension} numbers")
        self.num_classes = None if labels is None else int(labels.max()) + 1
        self.schedule = schedule or NoiseSchedule("linear", 1000, 1e-4, 2e-2)
        self.freeze()

    @classmethod
    def standard_normal(cls, shape: tuple[int, ...], schedule: Schedule | None = None) -> GaussianMixture:
        """N(0, I), which the forward process leaves as it is: ε = √(1−ā) x_t."""
        return cls([1.0], torch.zeros(1, *shape), 1.0, schedule=schedule)

    @property
    def dimension(self) -> int:
        """d, the numbers in one state."""
        return self._components.means.shape[1]

    @property
    def mixture_weights(self) -> Tensor:
        """w_i, (K,) float64, normalised."""
        return self._components.log_weights.exp()

    @property
    def means(self) -> Tensor:
        """μ_i, (K, d) float64."""
        return self._components.means

    @property
    def covariances(self) -> Tensor:
        """S_i, (K, d, d) float64."""
        shared = self._components.assemble(self._components.eigenvalues)
        return shared.expand(len(self.means), -1, -1)

    @property
    def knows_marginal(self) -> bool:
        return True  # the sum over all components

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        labels = None if condition is None else class_labels(condition, "GaussianMixture")
        parts, flat, log_joint = self._at(x_t, level, labels)
        share = log_joint.softmax(1)
        epsilon = -level.noise * parts.score(share, flat, level.alpha_bar)
        if level.signal > NO_SIGNAL:
            clean_estimate = (flat - level.noise * epsilon) / level.signal
        else:
            clean_estimate = torch.einsum("bk,bkd->bd", share, parts.posterior_means(flat, level.alpha_bar))
        return Prediction(*(half.reshape(x_t.shape).to(at_least_float32(x_t)) for half in (clean_estimate, epsilon)))

    def score(self, x: State, level: NoiseLevel, condition: Tensor | None = None) -> State:
        """∇ log p_t(x), or of p_t(x | class): −Σ r_i C_i^{-1}(x − √ā μ_i). float64."""
        parts, flat, log_joint = self._at(x, level, condition)
        return parts.score(log_joint.softmax(1), flat, level.alpha_bar).reshape(x.shape)

    def denoise(self, x: State, level: NoiseLevel, condition: Tensor | None = None) -> State:
        """E[x_0 | x_t] = Σ r_i m_i, m_i = μ_i + √ā S_i C_i^{-1}(x − √ā μ_i). float64."""
        parts, flat, log_joint = self._at(x, level, condition)
        means = parts.posterior_means(flat, level.alpha_bar)
        return torch.einsum("bk,bkd->bd", log_joint.softmax(1), means).reshape(x.shape)

    def denoising_covariance(self, x: State, level: NoiseLevel, condition: Tensor | None = None) -> Tensor:
        """Cov[x_0 | x_t] = Σ r_i (V_i + (m_i − m)(m_i − m)ᵀ), m = Σ r_i m_i; (B, d, d) float64."""
        parts, flat, log_joint = self._at(x, level, condition)
        share, means = log_joint.softmax(1), parts.posterior_means(flat, level.alpha_bar)
        spread = means - torch.einsum("bk,bkd->bd", share, means)[:, None]
        within = torch.einsum("bk,kde->bde", share, parts.posterior_covariances(level.alpha_bar))
        return within + torch.einsum("bk,bkd,bke->bde", share, spread, spread)

    def log_prob(self, x: State, level: NoiseLevel | None = None, condition: Tensor | None = None) -> PerSample:
        """log p_t(x), or log p_t(x | class); without a level, of clean samples. (B,) float64."""
        log_joint = self._at(x, level, condition)[2].logsumexp(1)
        if condition is None:
            return log_joint
        own = self._masked(self._components.log_weights.to(x.device).expand(len(x), -1), condition)
        return log_joint - own.logsumexp(1)

    def classifier_log_prob(self, x: State, condition: Tensor, level: NoiseLevel | None = None) -> PerSample:
        """log p_t(class | x) = log Σ_{i∈class} r_i; without a level, of clean samples. (B,) float64."""
        log_joint = self._at(x, level, None)[2]
        return self._masked(log_joint, condition).logsumexp(1) - log_joint.logsumexp(1)

    def sample(self, n: int, generator: torch.Generator | None = None, condition: Tensor | None = None) -> Tensor:
        """n exact clean samples, (n, *shape) float64 on the CPU; `condition` is (n,) classes."""
        normal = torch.randn(n, 1 + self.dimension, generator=generator, dtype=torch.float64)
        return self.transform(normal, None if condition is None else condition.cpu())

    def transform(self, normal: Tensor, condition: Tensor | None = None) -> State:
        """Exact clean samples, (n, *shape) float64, from standard normals, (n, 1 + d); the first is the component's.

        With classes, (n,), of the samples in `condition`, those of each sample's class.
        """
        parts = self._components.to(normal.device)
        log_weights = parts.log_weights.expand(len(normal), -1)
        own = log_weights if condition is None else self._masked(log_weights, condition)
        return parts.draw(normal.double(), own).reshape(len(normal), *self.shape)

    def posterior(self, A: Tensor, y: Tensor, sigma: float, label: int | None = None) -> GaussianMixture:
        """p(x_0 | y = A x_0 + σ z), again a mixture, with the same schedule, shape and classes.

        Args:
            A: (m, d).
            y: (m,), one measurement.
            sigma: σ ≥ 0; at 0 every A S_i Aᵀ has to be invertible.
            label: a class; the result is then p(x_0 | y, class), of its components alone, and has no classes.

        Raises:
            UserError: if the shapes do not fit, the measurement is degenerate, or there are no classes.
        """
        parts, labels = self._components, self._classes
        shared = parts.assemble(parts.eigenvalues)
        log_weights, means = parts.log_weights, self.means
        if label is not None:
            if labels is None:
                raise UserError("GaussianMixture: it has no classes, and its posterior no class; give `classes`")
            own, labels = labels == label, None
            log_weights, means = log_weights[own], means[own]
            shared = shared if len(shared) == 1 else shared[own]
        posterior = mixture_posterior(log_weights, means, shared, A, y, sigma)
        classes = None if labels is None else labels.tolist()
        return GaussianMixture(*posterior, classes=classes, shape=self.shape, schedule=self.schedule)

    def _at(self, x: State, level: NoiseLevel | None, condition: Tensor | None) -> tuple[Components, Tensor, Tensor]:
        if self._components.means.device != x.device:
            self._components = self._components.to(x.device)
        alpha_bar = 1.0 if level is None else level.alpha_bar
        flat = x.double().flatten(1)
        log_joint = self._components.log_joint(flat, alpha_bar)
        return self._components, flat, log_joint if condition is None else self._masked(log_joint, condition)

    def _masked(self, log_values: Tensor, condition: Tensor) -> Tensor:
        """(B, K) with −∞ at the components of other classes than each sample's, (B,)."""
        if self._classes is None:
            raise UserError(
                "GaussianMixture: it has no classes and takes no class labels; give `classes` or no condition"
            )
        other = self._classes.to(log_values.device) != condition.to(log_values.device)[:, None]
        return log_values.masked_fill(other, -math.inf)
