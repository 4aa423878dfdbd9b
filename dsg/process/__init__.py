"""The reverse process of a batch: what a method may ask for, and what a step tells of itself."""

from dsg.process.base import Process
from dsg.process.gradients import GuidedStep, LossGradient
from dsg.process.process import ReverseProcess
from dsg.process.sampler import AnySampler
from dsg.process.trace import GradientKind, Record, StepRecord

__all__ = [
    "AnySampler",
    "GradientKind",
    "GuidedStep",
    "LossGradient",
    "Process",
    "Record",
    "ReverseProcess",
    "StepRecord",
]
