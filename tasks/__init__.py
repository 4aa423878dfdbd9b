"""Tasks: what is measured on an image, and the loss of an estimate against the measurement."""

from tasks.base import InverseProblem, Measurement, Task
from tasks.blur import GaussianDeblurring, MotionDeblurring
from tasks.class_label import ClassLabel
from tasks.denoising import Denoising
from tasks.inpainting import BoxInpainting, RandomInpainting
from tasks.noise import GaussianNoise, MeasurementNoise, PoissonNoise
from tasks.super_resolution import SuperResolution

__all__ = [
    "BoxInpainting",
    "ClassLabel",
    "Denoising",
    "GaussianDeblurring",
    "GaussianNoise",
    "InverseProblem",
    "Measurement",
    "MeasurementNoise",
    "MotionDeblurring",
    "PoissonNoise",
    "RandomInpainting",
    "SuperResolution",
    "Task",
]
