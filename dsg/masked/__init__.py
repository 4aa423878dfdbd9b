"""Masked discrete diffusion: tokens are masked one by one, and a frozen model guesses them back under guidance."""

from dsg.masked.process import MaskedProcess
from dsg.masked.record import MaskedRecord
from dsg.masked.sampling import MaskedSampler
from dsg.masked.schedule import Cosine, Linear, MaskSchedule
from dsg.masked.unmasking import Moment, Unmasking

__all__ = [
    "Cosine",
    "Linear",
    "MaskSchedule",
    "MaskedProcess",
    "MaskedRecord",
    "MaskedSampler",
    "Moment",
    "Unmasking",
]
