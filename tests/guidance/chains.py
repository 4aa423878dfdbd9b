"""How tests draw from a chain of DAPS."""

from torch import Tensor

from dsg.guidance.chain import Chain, Target
from dsg.process import ReverseProcess


def drawn(chain: Chain, estimate: Tensor, radius: float, sigma: float, process: ReverseProcess) -> Tensor:
    """The end of a chain that starts at x̂, on the process's first step."""
    return chain.draw(estimate, Target(estimate, radius, sigma), process.steps[0], process)
