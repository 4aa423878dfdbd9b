"""Preconditioning of a network F: D(x; σ) = c_skip x + c_out F(c_in x; c_noise) (Karras et al. 2022, eq. 7)."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from dsg.models.precision import KeepsBuffers


class Coefficients(NamedTuple):
    """c_skip, c_out, c_in and c_noise of (B,) noise levels, each (B,), float32."""

    skip: Tensor
    out: Tensor
    input: Tensor
    noise: Tensor


class Preconditioned(KeepsBuffers):
    """A denoiser D(x; σ) of x = x_0 + σ ε; its arithmetic is float32, whatever the precision of the network inside.

    Subclasses write `coefficients`, and the table of 2206.00364 is what they write.

    Args:
        img_resolution: height and width of the states.
        img_channels: their channels.
        label_dim: number of classes; 0 is unconditional.
        sigma_min: least noise that it knows; 0 where it knows any.
        sigma_max: most noise that it knows; infinite where it knows any.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int,
        sigma_min: float = 0.0,
        sigma_max: float = math.inf,
    ) -> None:
        super().__init__()
        self.img_resolution, self.img_channels, self.label_dim = img_resolution, img_channels, label_dim
        self.sigma_min, self.sigma_max = sigma_min, sigma_max

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """F."""

    @abstractmethod
    def coefficients(self, sigma: Tensor) -> Coefficients:
        """Of σ > 0, (B,), float32."""

    def forward(
        self, x: Tensor, sigma: Tensor, labels: Tensor | None = None, augment_labels: Tensor | None = None
    ) -> Tensor:
        """D(x; σ), float32.

        Args:
            x: (B, C, n, n), in units of the data.
            sigma: σ > 0, (B,).
            labels: (B, label_dim), one-hot; None is zeros.
            augment_labels: (B, augment_dim), of a training; None is none.
        """
        x = x.float()
        c = self.coefficients(sigma.float())
        F_x = self.raw(_over(x, c.input) * x, c.noise, labels, augment_labels)
        return _over(x, c.skip) * x + _over(x, c.out) * F_x[:, : self.img_channels]

    def raw(
        self, x: Tensor, c_noise: Tensor, labels: Tensor | None = None, augment_labels: Tensor | None = None
    ) -> Tensor:
        """F, in the precision of its weights and heard in float32; `x` is c_in x."""
        if self.label_dim and labels is None:
            labels = x.new_zeros(1, self.label_dim)
        dtype = next(self.network.parameters()).dtype
        return self.network(x.to(dtype), c_noise, labels if self.label_dim else None, augment_labels).float()

    def levels(self) -> list[float] | None:
        """The σ that the network was trained at, noisiest first, where they are a table."""
        return None


def edm_coefficients(sigma: Tensor, sigma_data: float) -> Coefficients:
    """EDM's own, with which F and its target have unit variance at every σ."""
    variance = sigma**2 + sigma_data**2
    return Coefficients(
        sigma_data**2 / variance, sigma * sigma_data / variance.sqrt(), 1.0 / variance.sqrt(), sigma.log() / 4.0
    )


def _over(x: Tensor, values: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (x.ndim - 1))
