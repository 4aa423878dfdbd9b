"""Data that somebody measured: y from files, with masks, kernels and the truth where they are known."""

from dsg.data.measured.folder import MeasuredFolder

__all__ = ["MeasuredFolder"]
