"""The portraits' judge as a feature network: small, shipped, with a reference of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from dsg.data.image_file import from_uint8
from dsg.errors import UserError
from dsg.metrics.feature_set import read_statistics
from dsg.metrics.features import FeatureNetwork
from dsg.metrics.frechet import Statistics
from dsg.models.portraits import classifier
from dsg.models.portraits.twin import SHAPE

REFERENCE = Path(classifier.__file__).with_name("statistics.npz")


class PortraitFeatures(FeatureNetwork):
    """The 64 numbers that the last layer of the portraits' judge sees, of 64x64 pictures.

    Its reference, unless a folder is given, are 2000 portraits that no training saw and that no evaluation with fewer
    than 700 000 images reaches: `python -m benchmarks.portraits.statistics` makes it.
    """

    name, dimension = "portraits", classifier.FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.judge = classifier.PortraitsClassifier("judge")

    @staticmethod
    def prepare(picture: np.ndarray) -> Tensor:
        height, width = picture.shape[:2]
        if (3, height, width) != SHAPE:
            raise UserError(f"portraits needs pictures of 64x64, got {width}x{height}")
        return from_uint8(picture)

    def forward(self, prepared: Tensor) -> Tensor:
        return self.judge.features(prepared)

    def statistics(self) -> Statistics:
        return read_statistics(REFERENCE, self.dimension).statistics
