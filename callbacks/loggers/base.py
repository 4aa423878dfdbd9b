"""What a run may tell, whoever keeps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor


class Sink(ABC):
    """A place for curves, pictures and settings. What it cannot keep it leaves out, and says so once."""

    @abstractmethod
    def scalar(self, tag: str, value: float, step: int) -> None:
        """A point of the curve `tag`, at `step`: a number of samples, or a position in the trajectory."""

    @abstractmethod
    def image(self, tag: str, pixels: Tensor, step: int) -> None:
        """A picture, (3,H,W) uint8."""

    @abstractmethod
    def histogram(self, tag: str, values: np.ndarray, step: int, bins: int) -> None:
        """How a column is distributed, (n,), in `bins` of equal width."""

    @abstractmethod
    def charts(self, title: str, charts: Mapping[str, Sequence[str]]) -> None:
        """Chart: the tags of its mean, and of the ends of its band."""

    @abstractmethod
    def settings(self, text: str, columns: Mapping[str, Any], first: bool) -> None:
        """What the run is: config.yaml as it stands, and the few columns by which runs are chosen.

        Args:
            first: whether no earlier start told them.
        """

    @abstractmethod
    def ended(self) -> None:
        """The run has ended as it should."""


class Sinks(Sink):
    """Several as one."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sinks = tuple(sinks)

    def scalar(self, tag: str, value: float, step: int) -> None:
        for sink in self.sinks:
            sink.scalar(tag, value, step)

    def image(self, tag: str, pixels: Tensor, step: int) -> None:
        for sink in self.sinks:
            sink.image(tag, pixels, step)

    def histogram(self, tag: str, values: np.ndarray, step: int, bins: int) -> None:
        for sink in self.sinks:
            sink.histogram(tag, values, step, bins)

    def charts(self, title: str, charts: Mapping[str, Sequence[str]]) -> None:
        for sink in self.sinks:
            sink.charts(title, charts)

    def settings(self, text: str, columns: Mapping[str, Any], first: bool) -> None:
        for sink in self.sinks:
            sink.settings(text, columns, first)

    def ended(self) -> None:
        for sink in self.sinks:
            sink.ended()
