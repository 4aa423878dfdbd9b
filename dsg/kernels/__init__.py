"""Reverse kernels, one file each: from a prediction to the Gaussian that the next state is drawn from."""

from dsg.kernels.base import Prediction, ReverseKernel, Transition
from dsg.kernels.ddim import DDIM
from dsg.kernels.ddpm import DDPM

__all__ = ["DDIM", "DDPM", "Prediction", "ReverseKernel", "Transition"]
