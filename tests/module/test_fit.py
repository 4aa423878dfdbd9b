"""What the module finds out before the first sample."""

from dataclasses import dataclass

import tasks
from dsg.data.held_out import HeldOutPortraits
from dsg.diffusion.kernels import DDIM
from dsg.guidance import DPS, LossGuidance
from dsg.module import GuidedDiffusion
from tests.toy import Toy


@dataclass
class Plain(LossGuidance):
    """A method from outside that is not frozen, so that it has no hash."""

    step_size: float = 1.0

    def update(self, guided, process):
        return DPS(self.step_size).update(guided, process)


def test_a_method_from_outside_need_not_be_hashable():
    GuidedDiffusion(Toy(64), tasks.Denoising(), Plain(), DDIM(), steps=2).check(HeldOutPortraits(limit=1))
