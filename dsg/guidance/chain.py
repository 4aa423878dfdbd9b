"""How DAPS draws a clean image around an estimate: a Markov chain of its own choice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from dsg.diffusion.level import Step
from dsg.process import ReverseProcess
from dsg.types import State


@dataclass(frozen=True)
class Target:
    """The density that a chain draws from, up to a factor: exp(−L(x, y)²/(2σ_y²) − ‖x − x̂‖²/(2r²)).

    Args:
        centre: x̂, (B, *shape).
        radius: r > 0.
        sigma: σ_y > 0 of the likelihood.
    """

    centre: State
    radius: float
    sigma: float


class Chain(ABC):
    """Draws from a target, each sample from its own streams, without the network."""

    @abstractmethod
    def draw(self, start: State, target: Target, step: Step, process: ReverseProcess) -> State:
        """The end of the chain that begins at `start`.

        Args:
            start: (B, *shape).
            target: the density.
            step: the reverse step that it belongs to, for chains that change along the way.
            process: gives the loss and the noise.
        """
