"""The posterior itself, where it is known: the floors that other methods are measured against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.diffusion.condition import class_labels
from dsg.diffusion.kernels import ReverseKernel
from dsg.diffusion.level import Step
from dsg.diffusion.noise import Purpose
from dsg.diffusion.prediction import Prediction
from dsg.errors import UserError
from dsg.guidance.base import Guidance, PredictionGuidance
from dsg.guidance.linear import noise_sigma, require_gaussian, require_linear_operator
from dsg.models.base import ScoreModel
from dsg.models.latent import LinearLatents
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.types import State
from tasks.base import InverseProblem, Measurement, Task
from tasks.operators.matrix import Matrix

KnownPrior = GaussianMixture | LinearLatents


@dataclass(frozen=True)
class Oracle(PredictionGuidance):
    """The reverse process under the exact score of p_t(x_t | y), or of p_t(x_t | y, c) where the batch has labels: the
    best that any method can do with these steps.

    Needs a Gaussian mixture and a task with a dense matrix, whose posterior is a mixture again.

    Raises:
        UserError: before the first sample, for another model or task, and with a combiner, which it would not ask.
    """

    own_prediction = True

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        _check(self, task, score_model)

    def guide(self, prediction: Prediction, x_t: State, step: Step, process: ReverseProcess) -> Prediction:
        raise TypeError("the oracle's prediction is its own; call `predict`")

    def predict(self, x_t: State, step: Step, process: ReverseProcess) -> tuple[Prediction, Prediction]:
        clean_estimate, epsilon = torch.empty_like(x_t), torch.empty_like(x_t)
        for rows, posterior in _posteriors(process):
            own = posterior(x_t[rows], step)
            clean_estimate[rows], epsilon[rows] = own.clean_estimate, own.epsilon
        process.forwards += 1
        prediction = Prediction(clean_estimate, epsilon)
        return prediction, prediction


@dataclass(frozen=True)
class ExactSamples(Guidance):
    """Independent samples of p(x_0 | y), or of p(x_0 | y, c), without a reverse process: the floor of any distance
    between samples.

    Raises:
        UserError: before the first sample, for a model that is no Gaussian mixture or a task without a dense matrix.
    """

    asks_kernel = False
    own_prediction = True

    def check(self, kernel: ReverseKernel, task: Task, score_model: ScoreModel) -> None:
        _check(self, task, score_model)

    def step(self, x_t: State, step: Step, process: ReverseProcess) -> StepRecord:
        samples = torch.empty_like(x_t)
        normal = process.streams.normal(Purpose.MONTE_CARLO, (1 + x_t[0].numel(),))
        for rows, posterior in _posteriors(process):
            samples[rows] = posterior.transform(normal[rows]).float()
        prediction = Prediction(samples, torch.zeros_like(samples))
        return StepRecord(step, x_t, samples, prediction, process.transition(x_t, prediction, step))

    def sample(self, x_T: State, process: ReverseProcess) -> Iterator[StepRecord]:
        yield self.step(x_T, process.steps[-1], process)


def posteriors(
    prior: KnownPrior,
    measurement: Measurement,
    image_ids: Sequence[str],
    sigma: float,
    labels: Tensor | None = None,
) -> list[tuple[Tensor, GaussianMixture]]:
    """Each image's p(x_0 | y), or p(x_0 | y, c), and the rows of the batch that are its samples.

    Args:
        prior: a mixture, or one of latents; then so is its posterior.
        measurement: y, (B, m), by a dense matrix.
        image_ids: whose measurement each row is, B of them.
        sigma: σ_y of the measurement.
        labels: c of each row, (B,), one for all rows of an image.
    """
    assert isinstance(measurement.operator, Matrix), "checked before the first sample"
    matrices, found = measurement.operator.matrix().double(), []
    for image_id in dict.fromkeys(image_ids):
        rows = [i for i, name in enumerate(image_ids) if name == image_id]
        label = None if labels is None else int(labels[rows[0]])
        posterior = prior.posterior(matrices[rows[0]], measurement.y[rows[0]].double(), sigma, label)
        found.append((torch.tensor(rows), posterior))
    return found


def _posteriors(process: ReverseProcess) -> list[tuple[Tensor, GaussianMixture]]:
    """Those of the batch, computed once."""
    if "posteriors" not in process.memory:
        assert isinstance(process.score_model, KnownPrior), "checked before the first sample"
        ids = [key.image_id for key in process.streams.keys]
        labels = None if process.condition is None else class_labels(process.condition, "the exact posterior")
        found = posteriors(process.score_model, process.measurement, ids, noise_sigma(process), labels)
        process.memory["posteriors"] = found
    return process.memory["posteriors"]


def _check(method: Guidance, task: Task, score_model: ScoreModel) -> None:
    name = type(method).__name__
    require_linear_operator(name, task)
    require_gaussian(name, task)
    assert isinstance(task, InverseProblem)  # else it were not linear
    if not isinstance(score_model, KnownPrior):
        raise UserError(
            f"{name} knows the posterior of a GaussianMixture, or LinearLatents of one, alone, and "
            f"{type(score_model).__name__} is none"
        )
    if not isinstance(task.example_operator(), Matrix):
        raise UserError(f"{name} needs a task with a dense matrix, such as RandomProjection; got {type(task).__name__}")
