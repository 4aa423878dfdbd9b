"""How far the samples are from the posterior, where that is known."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from callbacks.base import EvaluationCallback
from dsg.data.base import EvaluationData
from dsg.data.examples import LABEL
from dsg.data.mixture_draws import MixtureDraws
from dsg.diffusion.noise import Purpose, SampleKey
from dsg.errors import UserError
from dsg.guidance.exact import KnownPrior, posteriors
from dsg.metrics.posterior import covariance_error, mean_error, random_directions, sliced_wasserstein
from dsg.models.mixture import GaussianMixture
from dsg.module import BatchResult, SamplingModule
from dsg.run_folder.journal import Row
from tasks.base import InverseProblem
from tasks.operators.matrix import Matrix


class Posterior(EvaluationCallback):
    """Adds `sliced_wasserstein`, `mean_error` and `covariance_error` to the first row of every problem of MixtureDraws.

    The distance is to as many exact posterior samples as the method gave finite ones. Of a model of latents it is
    among latents, whose posterior is the one that is known.

    Args:
        directions: of the sliced Wasserstein distance, at least 1.

    Raises:
        UserError: before the first sample, for other data, whose posterior is not known, or a task without a matrix.
    """

    def __init__(self, directions: int = 100) -> None:
        if directions < 1:
            raise UserError(f"callbacks.posterior.directions: must be at least 1, got {directions}")
        self.directions = directions

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        task = module.sampler.task
        has_matrix = isinstance(task, InverseProblem) and isinstance(task.example_operator(), Matrix)
        for what, known, instead in (
            (data, isinstance(data, MixtureDraws), "MixtureDraws"),
            (task, has_matrix, "RandomProjection"),
        ):
            if not known:
                raise UserError(
                    f"callbacks.posterior: with {type(what).__name__} the posterior is not known; take {instead}, or "
                    "set callbacks.posterior to null"
                )

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if not outputs.keys:
            return
        model, task, measurement = pl_module.model, pl_module.sampler.task, outputs.measurement
        assert isinstance(model, KnownPrior) and isinstance(task, InverseProblem)  # noqa: PT018
        assert measurement is not None
        ids = [key.image_id for key in outputs.keys]
        labels = outputs.examples.tensor(LABEL) if LABEL in outputs.examples else None
        for rows, posterior in posteriors(model, measurement, ids, task.noise_sigma, labels):
            finite = [i for i in rows.tolist() if outputs.rows[i]["status"] == "ok"]
            if len(finite) > 1:
                states = model.encode(outputs.samples[finite])  # of latents they are the latents again
                columns = self._measure(outputs.keys[finite[0]], states, posterior)
                outputs.rows[finite[0]] |= columns

    def _measure(self, key: SampleKey, samples: Tensor, posterior: GaussianMixture) -> Row:
        samples = samples.flatten(1).cpu()
        generator = SampleKey(key.seed, key.image_id).generator(Purpose.TRUTH)
        directions = random_directions(generator, self.directions, posterior.dimension)
        normal = torch.from_numpy(generator.standard_normal((len(samples), 1 + posterior.dimension)))
        truth = posterior.transform(normal).flatten(1)
        return {
            "sliced_wasserstein": sliced_wasserstein(samples, truth, directions),
            "mean_error": mean_error(samples, posterior),
            "covariance_error": covariance_error(samples, posterior),
        }
