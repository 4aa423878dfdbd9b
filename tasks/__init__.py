"""Tasks: what is measured on an image, and the loss of an estimate against the measurement."""

from tasks.base import InverseProblem, Measurement, Task
from tasks.blur import GaussianDeblurring, MotionDeblurring
from tasks.class_label import ClassLabel
from tasks.colourisation import Colourisation
from tasks.denoising import Denoising
from tasks.feature import Feature, FeatureTask
from tasks.generation import Generation
from tasks.given_kernel import GivenKernelDeblurring
from tasks.given_mask import GivenMaskInpainting
from tasks.high_dynamic_range import HighDynamicRange
from tasks.identity import Identity
from tasks.inpainting import BoxInpainting, RandomInpainting
from tasks.jpeg import JPEG
from tasks.landmarks import Landmarks
from tasks.noise import GaussianNoise, MeasurementNoise, PoissonNoise
from tasks.phase_retrieval import PhaseRetrieval
from tasks.random_projection import RandomProjection
from tasks.segmentation import Segmentation
from tasks.sketch import Sketch
from tasks.style import Style
from tasks.sum import Sum
from tasks.super_resolution import SuperResolution
from tasks.text import Text

__all__ = [
    "JPEG",
    "BoxInpainting",
    "ClassLabel",
    "Colourisation",
    "Denoising",
    "Feature",
    "FeatureTask",
    "GaussianDeblurring",
    "GaussianNoise",
    "Generation",
    "GivenKernelDeblurring",
    "GivenMaskInpainting",
    "HighDynamicRange",
    "Identity",
    "InverseProblem",
    "Landmarks",
    "Measurement",
    "MeasurementNoise",
    "MotionDeblurring",
    "PhaseRetrieval",
    "PoissonNoise",
    "RandomInpainting",
    "RandomProjection",
    "Segmentation",
    "Sketch",
    "Style",
    "Sum",
    "SuperResolution",
    "Task",
    "Text",
]
