"""The algebra of measurements: operators, linear ones, and those whose singular values are known."""

from tasks.operators.base import LinearOperator, Operator
from tasks.operators.spectral import SpectralOperator

__all__ = ["LinearOperator", "Operator", "SpectralOperator"]
