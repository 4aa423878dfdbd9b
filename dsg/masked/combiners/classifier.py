"""Guidance of masked tokens by a classifier of partly masked sequences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dsg.combiners.scale import GuidanceScale, ScaleSchedule, check_scale
from dsg.data.examples import LABEL
from dsg.diffusion.condition import class_labels
from dsg.errors import UserError
from dsg.masked.combiners.base import TokenCombiner, TokenEvaluations, check_times, scale_of
from dsg.masked.unmasking import LEAST, Moment, Unmasking
from dsg.models.tokens.base import LogChances, TokenModel, Tokens, one_hot


class TokenClassifier(nn.Module, ABC):
    """log p(c | x_t) of partly masked sequences. Subclasses set `num_classes`, `length` and `vocabulary`."""

    num_classes: int
    length: int
    vocabulary: int

    @abstractmethod
    def forward(self, weights: Float[Tensor, "B L V1"]) -> Float[Tensor, "B K"]:
        """Logits of the classes, differentiable in `weights` (B, L, V+1): one-hot tokens, of which V is the mask."""


@dataclass(frozen=True, eq=False)
class ClassifierGuidance(TokenCombiner):
    """A masked token i becomes v at the rate κ p_u(v) ρ_i(v)^γ (Nisonoff et al. 2024, 2406.01572, eq. 4), where

        ρ_i(v) = p(c | x_t with x_i = v)/p(c | x_t),   first order: log ρ_i(v) ≈ ∂_{i,v} log p − ∂_{i,mask} log p

    The first order takes one backward pass of the classifier (their eq. 7; Schiff et al. 2412.10193, eq. 13), the exact
    ratio L V evaluations of it. At γ = 1, exact, these are the conditional rates, by Bayes' rule. Passes through the
    classifier are not counted, as in ClassifierGuidance of a Gaussian state, and none is made where γ is 0.

    Args:
        classifier: p(c | x_t) of partly masked sequences.
        guidance_scale: γ ≥ 0, a number or a ScaleSchedule of the time; 0 is the unguided model.
        first_order: whether the ratio is taken by its first order.
        normalised: whether the rates of a token are divided by their sum, as in ClassifierFree.

    Raises:
        UserError: for a negative γ; before the first sample, for times outside [0, 1], and a classifier of other
            sequences or classes.
    """

    classifier: TokenClassifier
    guidance_scale: GuidanceScale = 1.0
    first_order: bool = True
    normalised: bool = True

    needs_condition: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_scale(self.guidance_scale)

    @property
    def changes_speed(self) -> bool:
        return not self.normalised and self.guidance_scale != 0.0

    @property
    def changes_with_time(self) -> bool:
        return isinstance(self.guidance_scale, ScaleSchedule)

    def needs(self, model: TokenModel) -> frozenset[str]:
        return frozenset({LABEL})

    def num_classes(self, model: TokenModel) -> int | None:
        return self.classifier.num_classes

    def networks(self) -> tuple[nn.Module, ...]:
        return (self.classifier,)

    def check(self, model: TokenModel) -> None:
        check_times(self.guidance_scale)
        own, other = (self.classifier.length, self.classifier.vocabulary), (model.length, model.vocabulary)
        if own != other:
            raise UserError(
                f"combiner: the classifier knows {own[0]} tokens of {own[1]} and the token model has {other[0]} of "
                f"{other[1]}; take a classifier of the same sequences"
            )
        if model.num_classes not in (None, self.classifier.num_classes):
            raise UserError(
                f"combiner.classifier: it has {self.classifier.num_classes} classes and the token model "
                f"{model.num_classes}; take a classifier with the same classes"
            )
        if not model.knows_marginal:
            raise UserError(
                "combiner: ClassifierGuidance steps from the token model without a class, and it has no null class; "
                "set its null_class if it was trained with dropped labels"
            )

    def unmasking(self, tokens: Tokens, moment: Moment, process: TokenEvaluations) -> Unmasking:
        log_p = process.evaluate(tokens, None)
        if self.guidance_scale == 0.0:
            return Unmasking(log_p)
        scale = scale_of(self.guidance_scale, moment, process.schedule)
        if not isinstance(scale, Tensor) and scale == 0.0:
            return Unmasking.of(log_p, self.normalised)  # with a speed, if any step has one
        labels = class_labels(process.condition, "ClassifierGuidance")
        ratio = self._first_order(tokens, labels) if self.first_order else self._exact(tokens, labels)
        tilt = (scale * ratio.clamp_min(LEAST)).to(log_p.dtype)
        return Unmasking.of(log_p.clamp_min(LEAST) + tilt, self.normalised)

    def _log_chance(self, weights: Tensor, labels: Tensor) -> Tensor:
        return self.classifier(weights).log_softmax(-1).gather(1, labels[:, None]).squeeze(1)

    def _weights(self, tokens: Tokens) -> Tensor:
        return one_hot(tokens, self.classifier.vocabulary + 1).float()

    def _first_order(self, tokens: Tokens, labels: Tensor) -> LogChances:
        with torch.enable_grad():
            weights = self._weights(tokens).requires_grad_()
            (gradient,) = torch.autograd.grad(self._log_chance(weights, labels).sum(), weights)
        return gradient[..., :-1] - gradient[..., -1:]

    def _exact(self, tokens: Tokens, labels: Tensor) -> LogChances:
        now = self._log_chance(self._weights(tokens), labels)
        ratio = now.new_zeros(*tokens.shape, self.classifier.vocabulary)
        for place in range(self.classifier.length):
            for token in range(self.classifier.vocabulary):
                other = tokens.clone()
                other[:, place].fill_(token)
                ratio[:, place, token] = self._log_chance(self._weights(other), labels) - now
        return ratio
