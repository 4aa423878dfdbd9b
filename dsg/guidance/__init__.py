"""Guidance methods, one file each. A config's `class_path` names one; a method of your own needs no entry here."""

from dsg.guidance.base import Guidance, LossGuidance, Unguided
from dsg.guidance.bo_ddnm import BODDNM
from dsg.guidance.ddnm import DDNM
from dsg.guidance.diffpir import DiffPIR
from dsg.guidance.dps import DPS
from dsg.guidance.dsg import DSG
from dsg.guidance.pigdm import PiGDM

__all__ = ["BODDNM", "DDNM", "DPS", "DSG", "DiffPIR", "Guidance", "LossGuidance", "PiGDM", "Unguided"]
