"""Gaussian mixtures as score models: known exactly, so that a method can be measured against truth."""

from dsg.models.mixture.gaussian_mixture import GaussianMixture
from dsg.models.mixture.judge import MixtureJudge
from dsg.models.mixture.swiss_roll import SwissRoll
from dsg.models.mixture.twenty_five_gaussians import TwentyFiveGaussians

__all__ = ["GaussianMixture", "MixtureJudge", "SwissRoll", "TwentyFiveGaussians"]
