"""What a loss that asks a network is made of: preparing the picture, and the distance between two answers."""

from tasks.features.distance import CosineDistance, CrossEntropy, Distance, MeanSquare, Norm, SquaredNorm
from tasks.features.preparation import CLIP, IMAGENET, UNIT_RANGE, Crop, Normalise, Pool, Preparation, Prepared, Resize

__all__ = [
    "CLIP",
    "IMAGENET",
    "UNIT_RANGE",
    "CosineDistance",
    "Crop",
    "CrossEntropy",
    "Distance",
    "MeanSquare",
    "Norm",
    "Normalise",
    "Pool",
    "Preparation",
    "Prepared",
    "Resize",
    "SquaredNorm",
]
