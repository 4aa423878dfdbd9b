"""Reverse kernels, one file each: from a prediction to the Gaussian that the next state is drawn from."""

from dsg.kernels.base import Prediction, ReverseKernel, Transition
from dsg.kernels.ddim import DDIM
from dsg.kernels.ddpm import DDPM
from dsg.kernels.euler_maruyama import EulerMaruyama
from dsg.kernels.heun import Heun

__all__ = ["DDIM", "DDPM", "EulerMaruyama", "Heun", "Prediction", "ReverseKernel", "Transition"]
