"""The published search for the level of a switch: where what tells two trajectories from one start apart is halved.

Choi et al. 2024 (2401.03140): DDIM without noise from the same x_T under either class, each on a path of its own,

    r_t = β_t (ε(x⁰_t, 0) − ε(x¹_t, 1)),   τ = argmin ‖Σ_{t>τ} r_t − Σ_{t≤τ} r_t‖  over multiples of 10

where, as in their code, the norm runs over the samples and its mean over the numbers of a state.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.combiners import Conditional
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import EnsembleStreams, SampleKey
from dsg.guidance import Unguided
from dsg.models.base import ScoreModel
from dsg.sampling import Sampler
from tasks import Generation


def search(
    model: ScoreModel, first: Tensor, second: Tensor, x_T: Tensor, steps: int = 1000, weighted: bool = True
) -> float:
    """τ, a timestep of the model's schedule.

    Args:
        model: of classes, with a table of timesteps.
        first: the class above the level of each sample, (B,) int64.
        second: the class below.
        x_T: where both start, (B, *shape).
        steps: of the table's; all of them as published.
        weighted: by β_t, the noise of a step.
    """
    sampler = Sampler(model, Generation(), Unguided(), DDIM(0.0), steps, combiner=Conditional())
    paths = []
    for label in (first, second):
        process = sampler.begin(Examples(None, {"label": label}), EnsembleStreams(SampleKey(0, "search"), len(label)))
        paths.append(sampler.run(process, x_T))
    times, drive = [], []
    for one, other in zip(*paths, strict=True):
        times.append(one.step.t)
        drive.append((one.step.beta if weighted else 1.0) * (one.prediction.epsilon - other.prediction.epsilon))
    above = torch.stack(drive).cumsum(0)
    misses = [float((2 * part - above[-1]).norm(dim=0).mean()) for part in above]
    candidates = {t: miss for t, miss in zip([*times[1:], 0.0], misses, strict=True) if t % 10 == 0}
    return min(candidates, key=lambda t: candidates[t])
