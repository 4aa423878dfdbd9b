"""What a sampler tells of each step. A record holds references; its measures are computed when somebody asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from dsg.diffusion.kernels import Transition
from dsg.diffusion.level import Step
from dsg.diffusion.prediction import Prediction
from dsg.types import PerSample, State, per_sample_norm

GradientKind = Literal[
    "loss", "smoothed_loss", "glued_loss", "clean_loss", "squared_loss", "likelihood", "classifier", "discriminator"
]
"""What a gradient is of, so that norms of different things are not shown as one:

loss: ∇_{x_t} L(x̂(x_t), y) · smoothed_loss: ∇_{x_t} of L averaged around x̂ · glued_loss:
∇_{x_t} of L and of how far the latent is from its glued picture's (PSLD) · clean_loss: ∇_x̂ L(x̂, y), in clean space ·
squared_loss: ∇_x ½L(x, y)² · likelihood: −∇_{x_t} log p(y | x_t) · classifier: −∇_{x_t} log p(c | x_t) ·
discriminator: −∇_{x_t} log d/(1−d), d how likely x_t is of the data
"""


@dataclass(frozen=True)
class Record(ABC):
    """One step, of whichever process.

    Args:
        step: the levels that it went between.
        x_t: the state before, (B, *shape).
        x_prev: the state after.
    """

    step: Step
    x_t: Tensor
    x_prev: Tensor

    measures: ClassVar[Mapping[str, str]] = {}
    """Properties that are numbers of every sample, (B,), or None, and what each is in words."""

    before_the_end: ClassVar[frozenset[str]] = frozenset()
    """Those that say nothing of the last step."""

    @property
    @abstractmethod
    def clean_estimate(self) -> Tensor:
        """The clean state that the step expected, (B, *shape)."""


@dataclass(frozen=True)
class StepRecord(Record):
    """One reverse step of a Gaussian process.

    The last step has no noise, hence no shell, and no direction that guidance would have chosen.

    Args:
        prediction: of the network at `x_t`.
        transition: the unguided mean and standard deviation; the guided ones where those would cost evaluations.
        loss: L(x̂, y), (B,); None where the step was not guided.
        gradient: the one that guided, (B, *shape); None where the step was not guided.
        gradient_kind: what it is of.
        noise: z of the step, (B, *shape); None of a method that takes its steps otherwise.
    """

    prediction: Prediction
    transition: Transition
    loss: PerSample | None = None
    gradient: State | None = None
    gradient_kind: GradientKind = "loss"
    noise: State | None = None

    @property
    def shift(self) -> State | None:
        """x_prev − (μ + σ z): what guidance added to the unguided step with the same noise; None where z is not known,
        and 0 where the transition is the guided one."""
        return None if self.noise is None else self.x_prev - self.transition.sample(self.noise)

    measures: ClassVar[Mapping[str, str]] = {
        "loss": "loss L(x̂, y)",
        "gradient_norm": "",  # its name says what the gradient is of
        "shell_ratio": "shell ratio ‖x_prev − μ‖ / √n σ",
        "cosine": "cosine of x_prev − μ and −g",
    }
    before_the_end: ClassVar[frozenset[str]] = frozenset({"shell_ratio", "cosine"})

    @property
    def clean_estimate(self) -> State:
        """x̂ of the network at `x_t`."""
        return self.prediction.clean_estimate

    @property
    def displacement(self) -> State:
        """x_prev − μ: what noise and guidance added to the unguided mean."""
        return self.x_prev - self.transition.mean

    @property
    def shell_ratio(self) -> PerSample:
        """‖x_prev − μ‖/(√n σ), (B,): 1 on the noise shell, more where guidance left it; NaN after the last step."""
        return per_sample_norm(self.displacement) / self.transition.radius()

    @property
    def gradient_norm(self) -> PerSample | None:
        """‖g‖₂ of the gradient that guided, (B,)."""
        return None if self.gradient is None else per_sample_norm(self.gradient)

    @property
    def cosine(self) -> PerSample | None:
        """Cosine between the displacement and −g, (B,); 0 where either vanishes."""
        if self.gradient is None:
            return None
        inner = -(self.displacement * self.gradient).flatten(1).sum(1)
        return inner / (per_sample_norm(self.displacement) * per_sample_norm(self.gradient)).clamp_min(1e-30)
