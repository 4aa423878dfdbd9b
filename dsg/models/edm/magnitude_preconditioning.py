"""EDM2's preconditioning: EDM's, around its own network, with an estimate of its uncertainty."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dsg.models.edm.magnitude import MPConv, MPFourier
from dsg.models.edm.magnitude_unet import MagnitudeUNet
from dsg.models.edm.preconditioning import Coefficients, Preconditioned, edm_coefficients


class Precond(Preconditioned):
    """Karras et al. 2024 (2312.02696). It knows any noise, 0.002 to 80 well; the arguments are the published ones.

    Args:
        img_resolution: height and width of the states.
        img_channels: their channels.
        label_dim: number of classes; 0 is unconditional.
        use_fp16: the Trainer's business.
        sigma_data: the data's standard deviation.
        logvar_channels: width of the embedding of which the uncertainty is made.
        options: of the network.
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int,
        use_fp16: bool = True,
        sigma_data: float = 0.5,
        logvar_channels: int = 128,
        **options: Any,
    ) -> None:
        super().__init__(img_resolution, img_channels, label_dim)
        self.sigma_data = sigma_data
        self.unet = MagnitudeUNet(img_resolution, img_channels, label_dim, **options)
        self.logvar_fourier = MPFourier(logvar_channels)
        self.logvar_linear = MPConv(logvar_channels, 1, [])

    @property
    def network(self) -> nn.Module:
        return self.unet

    def coefficients(self, sigma: Tensor) -> Coefficients:
        return edm_coefficients(sigma, self.sigma_data)

    def logvar(self, sigma: Tensor) -> Tensor:
        """u(σ), the logarithm of the loss's variance that training learned (eq. 22), (B,); sampling asks for none."""
        c_noise = self.coefficients(sigma.float()).noise
        return self.logvar_linear(self.logvar_fourier(c_noise).to(self.logvar_linear.weight.dtype)).float()[:, 0]
