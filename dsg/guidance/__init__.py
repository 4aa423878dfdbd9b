"""Guidance methods, one file each. A config's `class_path` names one; a method of your own needs no entry here."""

from dsg.guidance.back_projected import BackProjected
from dsg.guidance.base import Guidance, LossGuidance, Unguided
from dsg.guidance.bo_ddnm import BODDNM
from dsg.guidance.classifier_gradient import ClassifierGradient
from dsg.guidance.daps import DAPS
from dsg.guidance.ddnm import DDNM
from dsg.guidance.ddrm import DDRM
from dsg.guidance.dds import DDS
from dsg.guidance.diff_rgd import DiffRGD
from dsg.guidance.diffpir import DiffPIR
from dsg.guidance.discriminator_gradient import DiscriminatorGradient
from dsg.guidance.dps import DPS
from dsg.guidance.dsg import DSG
from dsg.guidance.exact import ExactSamples, Oracle
from dsg.guidance.flair import FLAIR
from dsg.guidance.flow_chef import FlowChef
from dsg.guidance.flow_dps import FlowDPS
from dsg.guidance.freedom import FreeDoM
from dsg.guidance.lgd_mc import LGDMC
from dsg.guidance.mpgd import MPGD
from dsg.guidance.pigdm import PiGDM
from dsg.guidance.pnp_flow import PnPFlow
from dsg.guidance.psld import PSLD
from dsg.guidance.red_diff import REDDiff
from dsg.guidance.repaint import RePaint
from dsg.guidance.resample import ReSample
from dsg.guidance.tfg import TFG
from dsg.guidance.ugd import UGD

__all__ = [
    "BODDNM",
    "DAPS",
    "DDNM",
    "DDRM",
    "DDS",
    "DPS",
    "DSG",
    "FLAIR",
    "LGDMC",
    "MPGD",
    "PSLD",
    "TFG",
    "UGD",
    "BackProjected",
    "ClassifierGradient",
    "DiffPIR",
    "DiffRGD",
    "DiscriminatorGradient",
    "ExactSamples",
    "FlowChef",
    "FlowDPS",
    "FreeDoM",
    "Guidance",
    "LossGuidance",
    "Oracle",
    "PiGDM",
    "PnPFlow",
    "REDDiff",
    "RePaint",
    "ReSample",
    "Unguided",
]
