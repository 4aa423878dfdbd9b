"""Where along the trajectory the mean of 1/p_t(c | x_t) falls, and whether its fall is what the theory says."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dsg.combiners.noisy_classifier import NoisyClassifier
from dsg.diffusion.condition import class_labels
from dsg.diffusion.level import NoiseLevel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import PerSample, State, expand_to


class TheoremTerms:
    """h_t = 1/p_t(c | x_t) of one batch, with g = ∇ log p_t(c | x_t) and the guided drift's excess over the conditional
    score, u = (ε_c − ε)/√(1−ā), which is w g in classifier-free guidance.

    h is a martingale of the conditional reverse SDE and ∇h = −h g, so Itô's formula gives, for any u (Li & Jiao 2025,
    2505.01382, whose u is w g):

        E[h_0] = E[h_T] − ∫ E[h ⟨g, u⟩] dτ,   ā = exp(−τ)

    Sample by sample, h_0 = h_T − `decrease` − `by_steps` − `residual` with

        decrease = ∫ h ⟨g, u⟩ dτ               the trapezoidal rule over the steps
        by_steps = Σ h ⟨g, x_prev − μ⟩         a martingale of mean 0, unless a guidance chose the step (DSG)

    and a residual whose mean falls with the step. All of it is of the SDE; an ODE has another one (half the drift).

    Args:
        classifier: p(c | x_t) of noisy states.
    """

    def __init__(self, classifier: NoisyClassifier) -> None:
        self.classifier = classifier
        self._before: tuple[PerSample, float] | None = None

    def add(self, record: StepRecord, process: ReverseProcess) -> None:
        """One step, in order from the noisiest."""
        condition, step = process.condition, record.step
        labels = class_labels(condition, "reciprocal_path")
        h, g = self._reciprocal(record.x_t, step, labels)
        with torch.no_grad():
            conditional = process.score_model(record.x_t, step, condition).epsilon
        excess = (conditional - record.prediction.epsilon) / step.noise
        rate = h * (g.double() * excess.double()).flatten(1).sum(1)
        if self._before is None:
            self.start, self.decrease, self.by_steps = h, torch.zeros_like(h), torch.zeros_like(h)
        else:
            earlier, alpha_bar = self._before
            self.decrease = self.decrease + math.log(step.alpha_bar / alpha_bar) * (earlier + rate) / 2
        self.by_steps = self.by_steps + h * (g.double() * record.displacement.double()).flatten(1).sum(1)
        self.reciprocal, self.rate = h, rate
        self._before = rate, step.alpha_bar
        if step.index == 0:
            self.decrease = self.decrease + (step.prev.log_alpha_bar - step.log_alpha_bar) * rate
            self.end, _ = self._reciprocal(record.x_prev, step.prev, labels)
            self._before = None

    @property
    def residual(self) -> PerSample:
        """h_T − h_0 − decrease − by_steps of each sample, (B,): mean 0 where the identity holds."""
        return self.start - self.end - self.decrease - self.by_steps

    def _reciprocal(self, x: State, level: NoiseLevel, labels: Tensor) -> tuple[PerSample, State]:
        """1/p_t(c | x) and ∇ log p_t(c | x), float64."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            log_p = self.classifier.log_prob(x, level, labels.to(x.device))
            (gradient,) = torch.autograd.grad(log_p.sum(), x)
        h = (-log_p.detach().double()).exp()
        # where h overflows a sample is lost to the mean, not to the others
        return h, torch.where(expand_to(h.isfinite(), gradient), gradient, torch.nan)
