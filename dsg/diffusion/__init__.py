"""The ground floor: noise levels, schedules, spacings, predictions, random streams and the reverse kernels."""

from dsg.diffusion.continuous import FlowSchedule, SigmaSchedule, VPSchedule
from dsg.diffusion.continuous_spacing import Karras, LogSNR, ShiftedFlow
from dsg.diffusion.level import CLEAN, NoiseLevel, Step
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule, Schedule
from dsg.diffusion.sigma_table import SigmaTable
from dsg.diffusion.spacing import Even, IntegerStride, Leading, Spacing, Trailing

__all__ = [
    "CLEAN",
    "Even",
    "FlowSchedule",
    "IntegerStride",
    "Karras",
    "Leading",
    "LogSNR",
    "NoiseLevel",
    "NoiseSchedule",
    "Prediction",
    "Schedule",
    "ShiftedFlow",
    "SigmaSchedule",
    "SigmaTable",
    "Spacing",
    "Step",
    "Trailing",
    "VPSchedule",
]
