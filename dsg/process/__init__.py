"""The reverse process of a batch: what a method may ask for, and what a step tells of itself."""

from dsg.process.gradients import GuidedStep, LossGradient
from dsg.process.process import ReverseProcess
from dsg.process.trace import GradientKind, StepRecord

__all__ = ["GradientKind", "GuidedStep", "LossGradient", "ReverseProcess", "StepRecord"]
