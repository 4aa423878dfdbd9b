"""How evaluations of a token model become the rates at which tokens are unmasked: one file a combiner."""

from dsg.masked.combiners.base import Conditional, TokenCombiner
from dsg.masked.combiners.cfg import ClassifierFree
from dsg.masked.combiners.classifier import ClassifierGuidance, TokenClassifier
from dsg.masked.combiners.posterior_tilt import PosteriorTilt
from dsg.masked.combiners.table import TableClassifier

__all__ = [
    "ClassifierFree",
    "ClassifierGuidance",
    "Conditional",
    "PosteriorTilt",
    "TableClassifier",
    "TokenClassifier",
    "TokenCombiner",
]
