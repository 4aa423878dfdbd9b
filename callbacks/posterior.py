"""How far the samples are from the posterior, where that is known."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from callbacks.base import EvaluationCallback
from dsg.data.base import EvaluationData
from dsg.data.examples import LABEL
from dsg.data.mixture_draws import MixtureDraws
from dsg.diffusion.noise import Purpose, SampleKey
from dsg.errors import UserError
from dsg.guidance.exact import KnownPrior, posteriors
from dsg.metrics.first_step import guided_estimate, use_of_measurement
from dsg.metrics.posterior import covariance_error, mean_error, random_directions, sliced_wasserstein, spread_ratio
from dsg.models.mixture import GaussianMixture
from dsg.module import BatchResult, SamplingModule
from dsg.process import Process, Record, ReverseProcess, StepRecord
from dsg.run_folder.journal import Row
from tasks.base import InverseProblem
from tasks.operators.matrix import Matrix


class Posterior(EvaluationCallback):
    """Adds to the first row of every problem of MixtureDraws

        sliced_wasserstein             distance to as many exact posterior samples as the method gave finite ones
        mean_error, covariance_error   of the samples' moments, relative to the posterior's
        spread_ratio                   the samples' total spread over the posterior's: below 1 they are over-confident
        first_step_use                 how far the first step's x̂ goes from the prior's mean to the posterior's

    The posterior is that of what x_0 was drawn from: the data's `prior`, where it has one, or else the score model. The
    last column is of methods that take the kernel's steps (`dsg.metrics.first_step`), and where the prior is the
    model's. Of a model of latents all are among latents, whose posterior is the one that is known.

    Args:
        directions: of the sliced Wasserstein distance, at least 1.

    Raises:
        UserError: before the first sample, for other data, whose posterior is not known, a task without a matrix, or
            one sample a problem, which has no distribution.
    """

    metrics = "sliced_wasserstein|mean_error|covariance_error|spread_ratio|first_step_use"

    def __init__(self, directions: int = 100) -> None:
        if directions < 1:
            raise UserError(f"callbacks.posterior.directions: must be at least 1, got {directions}")
        self.directions = directions
        self._estimates: Tensor | None = None
        self._before: dict[int | None, GaussianMixture] = {}

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        task, prior = module.sampler.task, _prior(module, data)
        has_matrix = isinstance(task, InverseProblem) and isinstance(task.example_operator(), Matrix)
        for what, known, instead in (
            (data, isinstance(data, MixtureDraws), "MixtureDraws"),
            (prior, isinstance(prior, KnownPrior), "a GaussianMixture"),
            (task, has_matrix, "RandomProjection"),
        ):
            if not known:
                raise UserError(
                    f"callbacks.posterior: with {type(what).__name__} the posterior is not known; take {instead}, or "
                    "set callbacks.posterior to null"
                )
        if data.samples_per_image < 2:
            raise UserError(
                "callbacks.posterior: compares how samples are spread, and data.samples_per_image is 1; set it to 2 or "
                "more, or callbacks.posterior to null"
            )

    def on_predict_start(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        pl_module.observers.append(self)

    def on_sampling_step(self, record: Record, process: Process, keys: list[SampleKey]) -> None:
        assert isinstance(record, StepRecord) and isinstance(process, ReverseProcess)  # noqa: PT018
        if record.step.position == 0:
            self._estimates = guided_estimate(record, process.kernel)

    def meet(self, module: SamplingModule, data: EvaluationData) -> None:
        self._prior = _prior(module, data)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if not outputs.keys:
            return
        prior, task, measurement = self._prior, pl_module.sampler.task, outputs.measurement
        assert isinstance(prior, KnownPrior) and isinstance(task, InverseProblem)  # noqa: PT018
        assert measurement is not None
        ids = [key.image_id for key in outputs.keys]
        labels = outputs.examples.tensor(LABEL) if LABEL in outputs.examples else None
        for rows, posterior in posteriors(prior, measurement, ids, task.noise_sigma, labels):
            finite = [i for i in rows.tolist() if outputs.rows[i]["status"] == "ok"]
            if len(finite) > 1:
                states = prior.encode(outputs.samples[finite])  # of latents they are the latents again
                columns = self._measure(outputs.keys[finite[0]], states, posterior)
                if self._estimates is not None and prior is pl_module.model:  # else the model starts elsewhere
                    before = self._unmeasured(prior, None if labels is None else int(labels[finite[0]]))
                    estimates = self._estimates[finite].flatten(1).cpu()
                    columns["first_step_use"] = use_of_measurement(estimates, before, posterior)
                outputs.rows[finite[0]] |= columns

    def _unmeasured(self, prior: KnownPrior, label: int | None) -> GaussianMixture:
        """What is known before anything is measured: the posterior of y = 0 x."""
        if label not in self._before:
            nothing = torch.zeros(1, math.prod(prior.image_shape), dtype=torch.float64)
            self._before[label] = prior.posterior(nothing, nothing[:, 0], 1.0, label)
        return self._before[label]

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
            "spread_ratio": spread_ratio(samples, posterior),
        }

    def on_predict_end(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        if self in pl_module.observers:
            pl_module.observers.remove(self)

    def on_exception(self, trainer: Trainer, pl_module: SamplingModule, exception: BaseException) -> None:
        self.on_predict_end(trainer, pl_module)


def _prior(module: SamplingModule, data: EvaluationData) -> nn.Module:
    """What x_0 is drawn from."""
    own = data.prior if isinstance(data, MixtureDraws) else None
    return module.model if own is None else own
