"""Reverse kernels, one file each: from a prediction to the Gaussian that the next state is drawn from."""

from dsg.diffusion.kernels.base import ReverseKernel, Transition
from dsg.diffusion.kernels.churn import Churn
from dsg.diffusion.kernels.ddim import DDIM
from dsg.diffusion.kernels.ddpm import DDPM
from dsg.diffusion.kernels.euler_maruyama import EulerMaruyama
from dsg.diffusion.kernels.euler_maruyama_ve import EulerMaruyamaVE
from dsg.diffusion.kernels.heun import Heun
from dsg.diffusion.kernels.renoise import Renoise

__all__ = [
    "DDIM",
    "DDPM",
    "Churn",
    "EulerMaruyama",
    "EulerMaruyamaVE",
    "Heun",
    "Renoise",
    "ReverseKernel",
    "Transition",
]
