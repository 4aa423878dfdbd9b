"""Score networks of pictures in [0, 1], as the noise of pictures in [−1, 1]."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dsg.models.precision import KeepsPrecision


class Kept(KeepsPrecision):
    """A module, in its own precision whatever the others are cast to."""

    def __init__(self, kept: nn.Module) -> None:
        super().__init__()
        self.kept = kept

    def forward(self, x: Tensor) -> Tensor:
        return self.kept(x.float())


class UnitRangeScore(nn.Module):
    """ε of x = x_0 + σ ε with x_0 in [−1, 1], by a network that says the score of y = (x+1)/2, whose noise is σ/2:

        y = y_0 + (σ/2) ε,   s(y, σ/2) = −ε/(σ/2)   ⇒   ε = −(σ/2) s((x+1)/2, σ/2)

    So are the variance-exploding networks of Song et al. 2021 (2011.13456, appendix C and H) in diffusers.

    Args:
        network: (y (B,C,H,W), its standard deviation of the noise (B,)) → an object with the score as `sample`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        embedded: Any = network
        embedded.time_proj = Kept(embedded.time_proj)  # its frequencies are multiplied by log σ before a sine
        self.network = network

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        half = sigma / 2.0
        score = self.network((x + 1.0) / 2.0, half).sample
        return -half.view(-1, 1, 1, 1) * score
