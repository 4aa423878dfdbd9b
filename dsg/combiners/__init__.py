"""Prediction combiners, one file each: guidance by combining predictions, under any loss guidance."""

from dsg.combiners.base import Conditional, PredictionCombiner

__all__ = ["Conditional", "PredictionCombiner"]
