"""Prediction combiners, one file each: guidance by combining predictions, under any loss guidance."""

from dsg.combiners.apg import APG
from dsg.combiners.autoguidance import Autoguidance
from dsg.combiners.base import Conditional, PredictionCombiner
from dsg.combiners.cfg import ClassifierFree
from dsg.combiners.cfg_pp import CFGPlusPlus
from dsg.combiners.cfg_zero import CFGZeroStar
from dsg.combiners.classifier import ClassifierGuidance
from dsg.combiners.discriminator import DiscriminatorGuidance
from dsg.combiners.frequency_decoupled import FrequencyDecoupled
from dsg.combiners.noisy_classifier import MixtureClassifier, NoisyClassifier
from dsg.combiners.scale import PiecewiseLinear, ScaleSchedule
from dsg.combiners.switching import Switching
from dsg.combiners.tempered import TemperedClassifier

__all__ = [
    "APG",
    "Autoguidance",
    "CFGPlusPlus",
    "CFGZeroStar",
    "ClassifierFree",
    "ClassifierGuidance",
    "Conditional",
    "DiscriminatorGuidance",
    "FrequencyDecoupled",
    "MixtureClassifier",
    "NoisyClassifier",
    "PiecewiseLinear",
    "PredictionCombiner",
    "ScaleSchedule",
    "Switching",
    "TemperedClassifier",
]
