"""The exact classifier of a closed-form model, as a judge of its clean samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dsg.errors import UserError
from dsg.models.mixture import GaussianMixture
from dsg.types import State


class MixtureJudge(nn.Module):
    """log p(c | x) of clean states for every class c: (B, *shape) → (B, C) float64.

    Args:
        mixture: with classes; the parameters of the one that is sampled, or of another one.

    Raises:
        UserError: if the mixture has no classes.
    """

    def __init__(self, mixture: GaussianMixture) -> None:
        super().__init__()
        if mixture.num_classes is None:
            raise UserError("MixtureJudge: the mixture has no classes; give it `classes`")
        self.mixture = mixture
        self.num_classes = mixture.num_classes

    def forward(self, x: State) -> Tensor:
        if tuple(x.shape[1:]) != self.mixture.shape:
            raise UserError(
                f"MixtureJudge: judges states of shape {self.mixture.shape}, got {tuple(x.shape[1:])}; take the "
                "mixture that is sampled"
            )
        labels = torch.arange(self.num_classes, device=x.device)
        return torch.stack([self.mixture.classifier_log_prob(x, c.expand(len(x))) for c in labels], dim=1)
