"""A large ensemble of a closed form, through the same sampler, kernels, combiners and methods as everything else."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dsg.combiners import ClassifierFree, PredictionCombiner, ScaleSchedule
from dsg.data.examples import Examples
from dsg.diffusion.continuous_spacing import LogSNR
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.noise import EnsembleStreams, SampleKey
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.guidance import Guidance, Unguided
from dsg.models.base import ScoreModel
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.sampling import Sampler
from tasks import Generation

WIDE = NoiseSchedule("linear", 1500, 1e-7, 2e-2)
"""ā from 1 − 1e-7 to e^−15: a start that ignores the mean √ā μ is off by (1+w) √ā μ, 5e-4 for w = 0."""

OPEN = NoiseSchedule("linear", 1200, 1e-5, 2e-2)
"""ā from 1 − 1e-5 to e^−12, for the SDE, whose samples see no more: shorter, so that the steps are finer."""

Observer = Callable[[StepRecord, ReverseProcess], None]

DEEP = NoiseSchedule("linear", 2500, 1e-7, 2e-2)
"""ā to e^−25, for checks to 1e-4: a start that ignores the mean √ā μ is off by γ√ā μ, which WIDE shows at 5e-4."""


def sample(
    model: ScoreModel,
    label: int,
    count: int,
    kernel: ReverseKernel,
    steps: int,
    w: float | ScaleSchedule = 0.0,
    guidance: Guidance | None = None,
    combiner: PredictionCombiner | None = None,
    x_T: Tensor | None = None,
    observe: Observer | None = None,
    seed: int = 0,
) -> Tensor:
    """Samples of a class, (count, *shape), by `steps` steps that are even in log-SNR. The same seed is the same noise.

    Args:
        w: of classifier-free guidance, γ − 1 ≥ 0; a ScaleSchedule is γ itself.
        guidance: instead of none, over that combiner.
        combiner: instead of classifier-free guidance with w.
        x_T: where to start from, instead of the ensemble's own noise.
        observe: is told of each step.

    Raises:
        UserError: if w is negative, or a sample is not finite.
    """
    if not isinstance(w, ScaleSchedule) and w < 0:
        raise UserError(f"w: must be at least 0, got {w}")
    scale = w if isinstance(w, ScaleSchedule) else 1.0 + w
    sampler = Sampler(
        model, Generation(), guidance or Unguided(), kernel, steps, LogSNR(), False, combiner or ClassifierFree(scale)
    )
    labels = torch.full((count,), label, dtype=torch.long)
    streams = EnsembleStreams(SampleKey(seed, "ensemble"), count)
    process = sampler.begin(Examples(None, {"label": labels}), streams)
    x = torch.empty(0)
    for record in sampler.run(process, x_T):
        if observe is not None:
            observe(record, process)
        x = record.x_prev
    if lost := int((~x.flatten(1).isfinite().all(1)).sum()):
        raise UserError(f"{lost} of {count} samples are not finite; take smaller steps or less guidance")
    return x.double()
