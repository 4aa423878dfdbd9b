"""Sampling from a masked diffusion of tokens, as a configuration sets it."""

from __future__ import annotations

from dsg.errors import DoesNotFit
from dsg.guidance import Unguided
from dsg.guidance.base import Guidance
from dsg.masked import Linear, MaskedSampler, MaskSchedule
from dsg.masked.combiners import Conditional, TokenCombiner
from dsg.masked.kernels import TauLeaping, TokenKernel
from dsg.models.tokens import TokenModel
from dsg.module.sampling_module import SamplingModule
from tasks import Generation
from tasks.base import Task


class MaskedDiffusion(SamplingModule):
    """Samples from a frozen model of masked tokens.

    Args:
        token_model: the frozen model: dsg.models.portraits.tokens.PortraitsTokens, dsg.models.tokens.NetworkTokens,
            dsg.models.tokens.JointTable, or a class of your own.
        task: what is asked of the samples; null and tasks.Generation are nothing.
        guidance: null or dsg.guidance.Unguided; other methods step in a Gaussian state, and tokens have none.
        kernel: which tokens a step unmasks: dsg.masked.kernels.TauLeaping by default, or FirstHitting, ConfidenceOrder.
        steps: number of steps; null is as many as there are tokens.
        schedule: which share is masked at which time: dsg.masked.Linear by default, or Cosine.
        seed: of every random stream; a sample depends on (seed, image id, sample number) alone.
        combiner: turns evaluations of the model into rates: dsg.masked.combiners.ClassifierFree, PosteriorTilt or
            ClassifierGuidance; by default the evaluation under the image's label, if it has one.
    """

    model_name = "token_model"

    def __init__(
        self,
        token_model: TokenModel,
        task: Task | None = None,
        guidance: Guidance | None = None,
        kernel: TokenKernel | None = None,
        steps: int | None = None,
        schedule: MaskSchedule | None = None,
        seed: int = 0,
        combiner: TokenCombiner | None = None,
    ) -> None:
        if guidance is not None and type(guidance) is not Unguided:
            raise DoesNotFit(
                f"model.guidance: {type(guidance).__name__} guides a Gaussian state, and tokens have none; leave it "
                "out, and set model.combiner"
            )
        sampler = MaskedSampler(
            token_model, task or Generation(), kernel or TauLeaping(), steps, schedule or Linear(),
            combiner or Conditional(),
        )  # fmt: skip
        super().__init__(sampler, seed)
        self.token_model = token_model
