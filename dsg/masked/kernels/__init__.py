"""How a masked process is stepped: one file a kernel."""

from dsg.masked.kernels.base import TokenKernel
from dsg.masked.kernels.confidence import ConfidenceOrder
from dsg.masked.kernels.first_hitting import FirstHitting
from dsg.masked.kernels.tau_leaping import TauLeaping

__all__ = ["ConfidenceOrder", "FirstHitting", "TauLeaping", "TokenKernel"]
