"""Sampling from a Gaussian diffusion under guidance, as a configuration sets it."""

from __future__ import annotations

from dsg.combiners import Conditional, PredictionCombiner
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.spacing import Even, Spacing
from dsg.guidance.base import Guidance
from dsg.models.base import ScoreModel
from dsg.module.sampling_module import SamplingModule
from dsg.sampling import Sampler
from tasks.base import Task


class GuidedDiffusion(SamplingModule):
    """Samples from a frozen diffusion model under guidance.

    Args:
        score_model: the frozen model: dsg.models.adm.ADM, dsg.models.diffusers.DiffusersModel,
            dsg.models.diffusers.StableDiffusion, dsg.models.network.NetworkModel, dsg.models.mixture.GaussianMixture,
            dsg.models.portraits.model.Portraits, or a class of your own.
        task: what is measured on each image, and the loss against it.
        guidance: the method.
        kernel: the reverse kernel.
        steps: number of reverse steps.
        spacing: which levels of the model's schedule the steps visit: dsg.diffusion.Even by default, or Leading,
            Trailing, IntegerStride, LogSNR, Karras, ShiftedFlow.
        clip_denoised: clamp the clean estimate to the model's range of clean states, if it has one.
        seed: of every random stream; a sample depends on (seed, image id, sample number) alone.
        combiner: turns network evaluations into one prediction, as classifier-free guidance does; by default the
            evaluation under the image's label, if it has one.
    """

    model_name = "score_model"

    def __init__(
        self,
        score_model: ScoreModel,
        task: Task,
        guidance: Guidance,
        kernel: ReverseKernel,
        steps: int = 100,
        spacing: Spacing | None = None,
        clip_denoised: bool = True,
        seed: int = 0,
        combiner: PredictionCombiner | None = None,
    ) -> None:
        sampler = Sampler(
            score_model, task, guidance, kernel, steps, spacing or Even(), clip_denoised, combiner or Conditional()
        )
        super().__init__(sampler, seed)
        self.score_model = score_model
