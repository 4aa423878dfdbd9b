"""What a pipeline of diffusers samples of a noise, and what the sampler here samples of the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import tasks
from dsg.combiners import ClassifierFree, Conditional
from dsg.data.examples import LABEL, PROMPT, Examples
from dsg.diffusion.kernels import DDIM, ReverseKernel
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.spacing import Spacing
from dsg.guidance import Unguided
from dsg.models.base import ScoreModel
from dsg.process.trace import StepRecord
from dsg.sampling import Sampler


def noise(*shape: int) -> Tensor:
    """The initial noise of a pipeline that is given `generator()`."""
    return torch.randn(shape, generator=generator())


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def sampled_by(pipeline: Any, autoencoder: str, **call: Any) -> tuple[Tensor, Tensor]:
    """The last latents and the pictures in [0, 1] of a pipeline's own `__call__`, begun at `generator()`."""
    decoder, latents = getattr(pipeline, autoencoder), []
    decode = decoder.decode
    decoder.decode = lambda code, *rest, **options: latents.append(code) or decode(code, *rest, **options)
    pipeline.set_progress_bar_config(disable=True)
    try:
        pictures = pipeline(generator=generator(), output_type="np", **call).images
    finally:
        del decoder.decode
    shift = getattr(decoder.config, "shift_factor", None) or 0.0
    return (latents[0] - shift) * decoder.config.scaling_factor, torch.from_numpy(pictures).permute(0, 3, 1, 2)


def sampled_here(
    model: ScoreModel,
    steps: int,
    spacing: Spacing,
    labels: Sequence[int] | None = None,
    guidance_scale: float = 1.0,
    kernel: ReverseKernel | None = None,
    batch: int = 2,
    prompts: Sequence[str] | None = None,
) -> StepRecord:
    """The last record of the sampler, begun at the same noise."""
    combiner = Conditional() if guidance_scale == 1.0 else ClassifierFree(guidance_scale)
    sampler = Sampler(model, tasks.Generation(), Unguided(), kernel or DDIM(0.0), steps, spacing, combiner=combiner)
    columns = ({LABEL: torch.tensor(labels)} if labels else {}) | ({PROMPT: list(prompts)} if prompts else {})
    examples = Examples(torch.zeros(batch, *model.image_shape), columns)
    process = sampler.begin(examples, NoiseStreams([SampleKey(0, str(i)) for i in range(batch)]))
    *_, record = sampler.run(process, noise(batch, *model.shape))
    return record


def pictures(model: ScoreModel, latents: Tensor) -> Tensor:
    """In [0, 1], as pipelines give them."""
    with torch.no_grad():
        return (model.decode(latents) / 2 + 0.5).clamp(0, 1)
