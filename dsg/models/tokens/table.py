"""A table of chances as a token model: everything about it is known exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dsg.diffusion.condition import Condition, class_labels
from dsg.errors import UserError
from dsg.models.precision import KeepsPrecision
from dsg.models.tokens.base import LogChances, TokenModel, Tokens, one_hot

MOST = 2**16  # chances in a table: each evaluation looks at all of them


class JointTable(KeepsPrecision, TokenModel):
    """p(c, x_1, ..., x_L) as a table, of which every conditional is a sum. float64 inside, whatever it is cast to.

    Args:
        classes: a table each of p(x | c), nested lists V × ... × V, or a tensor (K, V, ..., V), ≥ 0; each is
            normalised. One alone is unconditional.
        weights: p(c) > 0, (K,), normalised; null is the same for all.

    Raises:
        UserError: for tables of other shapes, chances that are negative or all 0, or more than 65 536 of them.
    """

    def __init__(self, classes: Sequence[Any] | Tensor, weights: Sequence[float] | Tensor | None = None) -> None:
        super().__init__()
        tables = _numbers(classes)
        of_class = torch.ones(len(tables)) if weights is None else torch.as_tensor(weights, dtype=torch.float64)
        if of_class.shape != (len(tables),) or not (of_class > 0).all():
            raise UserError(f"JointTable: weights must be {len(tables)} positive numbers, one a class")
        count = len(tables)
        self.vocabulary, self.shape = tables.shape[1], (tables.ndim - 1,)
        self.num_classes = None if count == 1 else count
        flat = tables.flatten(1)
        joint = flat / flat.sum(1, keepdim=True) * (of_class / of_class.sum())[:, None]
        states = torch.cartesian_prod(*[torch.arange(self.vocabulary)] * self.length).reshape(-1, self.length)
        self.joint: Tensor
        self.states: Tensor
        self.register_buffer("joint", joint, persistent=False)  # p(c, x), (K, V^L)
        self.register_buffer("states", states, persistent=False)  # x, (V^L, L)
        self.freeze()

    @property
    def knows_marginal(self) -> bool:
        return True  # the sum over classes

    @property
    def dimension(self) -> int:
        """Of the numbers that `transform` takes beside the first."""
        return self.length

    def forward(self, tokens: Tokens, condition: Condition | None = None) -> LogChances:
        labels = None if condition is None else class_labels(condition, "JointTable")
        prior = self.joint.sum(0) if labels is None else self.joint[labels]
        seen = (tokens[:, None] == self.states) | (tokens[:, None] == self.mask)
        consistent = seen.all(-1) * prior  # (B, V^L)
        chances = torch.einsum("bs,slv->blv", consistent, one_hot(self.states, self.vocabulary).double())
        total = chances.sum(-1, keepdim=True)
        # after tokens that the class never has, nothing is known of the others
        return torch.where(total > 0, chances / total, 1.0 / self.vocabulary).log()

    def class_log_prob(self, weights: Float[Tensor, "B L V1"]) -> Float[Tensor, "B K"]:
        """log p(c, x_t) of partly masked sequences as one-hot rows of V+1, the mask last; differentiable in them."""
        rows = weights.double()
        fits = rows[..., :-1] + rows[..., -1:]  # how far each token agrees with what is seen
        chosen = fits[:, torch.arange(self.length, device=fits.device), self.states]  # (B, V^L, L)
        return (chosen.prod(-1) @ self.joint.T).clamp_min(1e-300).log()

    def transform(self, normal: Tensor, condition: Tensor | None = None) -> Tensor:
        """Exact samples, (n, L) float64, from standard normals (n, 1 + L), of which the first is read; those of each
        sample's class where `condition`, (n,), says it."""
        prior = self.joint.sum(0).expand(len(normal), -1) if condition is None else self.joint[condition]
        cumulative = prior.cumsum(1)
        wanted = torch.special.ndtr(normal[:, :1].double()) * cumulative[:, -1:]
        return self.states[torch.searchsorted(cumulative, wanted, right=True).squeeze(1)].double()


def _numbers(classes: Sequence[Any] | Tensor) -> Tensor:
    """The tables (K, V, ..., V) as float64."""
    try:
        tables = torch.as_tensor(classes, dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise UserError("JointTable: classes must be tables of numbers, all of one shape") from error
    if tables.ndim < 2 or len(set(tables.shape[1:])) != 1 or min(tables.shape) < 1:
        raise UserError(
            f"JointTable: each table must be V × ... × V, a side a token, got {'x'.join(map(str, tables.shape[1:]))}"
        )
    if math.prod(tables.shape) > MOST:
        raise UserError(f"JointTable: holds at most {MOST} chances, got {math.prod(tables.shape)}")
    if not ((tables >= 0) & tables.isfinite()).all() or not (tables.flatten(1).sum(1) > 0).all():
        raise UserError("JointTable: chances must be at least 0 and finite, and no table all 0")
    return tables
