"""EDM's four preconditionings, each around a DDPM++, NCSN++ or ADM network; the arguments are the published ones."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from dsg.errors import UserError
from dsg.models.edm.dhariwal_unet import DhariwalUNet
from dsg.models.edm.preconditioning import Coefficients, Preconditioned, edm_coefficients
from dsg.models.edm.song_unet import SongUNet

_NETWORKS = {"SongUNet": SongUNet, "DhariwalUNet": DhariwalUNet}


class _OfEDM(Preconditioned):
    """Holds its network as `model`; `use_fp16` is the Trainer's business."""

    model: nn.Module

    @property
    def network(self) -> nn.Module:
        return self.model

    def _hold(self, model_type: str, options: dict[str, Any], outputs: int = 1) -> None:
        if model_type not in _NETWORKS:
            raise UserError(f"{type(self).__name__}: model_type must be {' or '.join(_NETWORKS)}, got {model_type!r}")
        channels = self.img_channels
        self.model = _NETWORKS[model_type](self.img_resolution, channels, outputs * channels, self.label_dim, **options)


class EDMPrecond(_OfEDM):
    """Karras et al. 2022 (2206.00364), table 1, "Ours"; σ_d is the data's standard deviation.

    c_skip = σ_d²/(σ²+σ_d²),  c_out = σ σ_d/√(σ²+σ_d²),  c_in = 1/√(σ²+σ_d²),  c_noise = ln(σ)/4
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        use_fp16: bool = False,
        sigma_min: float = 0.0,
        sigma_max: float = math.inf,
        sigma_data: float = 0.5,
        model_type: str = "DhariwalUNet",
        **options: Any,
    ) -> None:
        super().__init__(img_resolution, img_channels, label_dim, sigma_min, sigma_max)
        self.sigma_data = sigma_data
        self._hold(model_type, options)

    def coefficients(self, sigma: Tensor) -> Coefficients:
        return edm_coefficients(sigma, self.sigma_data)


class VPPrecond(_OfEDM):
    """Table 1, "VP": of Song et al. 2021's variance-preserving process, with a network that predicts ε.

    c_skip = 1,  c_out = −σ,  c_in = 1/√(σ²+1),  c_noise = (M−1) t(σ),  σ(t)² = exp(β_d t²/2 + β_min t) − 1
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        use_fp16: bool = False,
        beta_d: float = 19.9,
        beta_min: float = 0.1,
        M: int = 1000,
        epsilon_t: float = 1e-5,
        model_type: str = "SongUNet",
        **options: Any,
    ) -> None:
        ends = [math.sqrt(math.expm1(0.5 * beta_d * t**2 + beta_min * t)) for t in (epsilon_t, 1.0)]
        super().__init__(img_resolution, img_channels, label_dim, *ends)
        self.beta_d, self.beta_min, self.M = beta_d, beta_min, M
        self._hold(model_type, options)

    def coefficients(self, sigma: Tensor) -> Coefficients:
        t = ((self.beta_min**2 + 2.0 * self.beta_d * torch.log1p(sigma**2)).sqrt() - self.beta_min) / self.beta_d
        return _of_epsilon(sigma, (self.M - 1) * t)


class VEPrecond(_OfEDM):
    """Table 1, "VE": of Song et al. 2021's variance-exploding process.

    c_skip = 1,  c_out = σ,  c_in = 1,  c_noise = ln(σ/2)
    """

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        use_fp16: bool = False,
        sigma_min: float = 0.02,
        sigma_max: float = 100.0,
        model_type: str = "SongUNet",
        **options: Any,
    ) -> None:
        super().__init__(img_resolution, img_channels, label_dim, sigma_min, sigma_max)
        self._hold(model_type, options)

    def coefficients(self, sigma: Tensor) -> Coefficients:
        return Coefficients(torch.ones_like(sigma), sigma, torch.ones_like(sigma), (0.5 * sigma).log())


class iDDPMPrecond(_OfEDM):
    """Table 1, "iDDPM": of Nichol & Dhariwal 2021's cosine schedule; the network also answers a variance, unused here.

    c_skip = 1,  c_out = −σ,  c_in = 1/√(σ²+1),  c_noise = M−1−j for the nearest u_j, with u_M = 0 and

        u_{j−1} = √((u_j²+1)/max(ā_{j−1}/ā_j, C_1) − 1),   ā_j = sin²(π j/(2M(C_2+1)))
    """

    u: Tensor

    def __init__(
        self,
        img_resolution: int,
        img_channels: int,
        label_dim: int = 0,
        use_fp16: bool = False,
        C_1: float = 0.001,
        C_2: float = 0.008,
        M: int = 1000,
        model_type: str = "DhariwalUNet",
        **options: Any,
    ) -> None:
        levels = [0.0]
        alpha_bar = [math.sin(0.5 * math.pi * j / M / (C_2 + 1.0)) ** 2 for j in range(M + 1)]
        for j in range(M, 0, -1):
            levels.append(math.sqrt((levels[-1] ** 2 + 1.0) / max(alpha_bar[j - 1] / alpha_bar[j], C_1) - 1.0))
        super().__init__(img_resolution, img_channels, label_dim, levels[1], levels[-1])
        self.M = M
        self.register_buffer("u", torch.tensor(levels[::-1], dtype=torch.float32))
        self._hold(model_type, options, outputs=2)

    def coefficients(self, sigma: Tensor) -> Coefficients:
        j = (sigma[:, None] - self.u).abs().argmin(dim=1)
        return _of_epsilon(sigma, (self.M - 1 - j).to(sigma.dtype))

    def levels(self) -> list[float]:
        return self.u[:-1].tolist()


def _of_epsilon(sigma: Tensor, c_noise: Tensor) -> Coefficients:
    """Those of a network that predicts ε of the variance-preserving state x/√(σ²+1)."""
    return Coefficients(torch.ones_like(sigma), -sigma, 1.0 / (sigma**2 + 1.0).sqrt(), c_noise)
