"""Guidance methods, one file each. A config's `class_path` names one; a method of your own needs no entry here."""

from dsg.guidance.base import Guidance, LossGuidance, Unguided
from dsg.guidance.dps import DPS
from dsg.guidance.dsg import DSG

__all__ = ["DPS", "DSG", "Guidance", "LossGuidance", "Unguided"]
