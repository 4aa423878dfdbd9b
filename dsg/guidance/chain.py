"""How DAPS draws a clean image around an estimate: a Markov chain of its own choice."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dsg.process import ReverseProcess
from dsg.types import State


class Chain(ABC):
    """Draws from exp(−L(x, y)²/(2σ_y²) − ‖x − x̂‖²/(2r²)), each sample from its own streams, without the network."""

    @abstractmethod
    def draw(self, estimate: State, radius: float, sigma: float, process: ReverseProcess) -> State:
        """The end of the chain that starts at x̂.

        Args:
            estimate: x̂, (B, *shape).
            radius: r > 0.
            sigma: σ_y > 0 of the likelihood.
            process: gives the loss and the noise.
        """
