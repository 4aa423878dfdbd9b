"""The theorem's terms along the trajectory, as columns and curves."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor

from callbacks.base import EvaluationCallback
from callbacks.loggers import told
from dsg.combiners import NoisyClassifier
from dsg.data.base import EvaluationData
from dsg.diffusion.noise import SampleKey
from dsg.errors import UserError
from dsg.metrics.theorem_terms import TheoremTerms
from dsg.module import BatchResult, GuidedDiffusion, SamplingModule
from dsg.process import Process, Record, ReverseProcess, StepRecord


class ReciprocalPath(EvaluationCallback):
    """Adds to every row, for h_t = 1/p_t(c | x_t) under a classifier of noisy states,

        reciprocal_start     h_T of the initial noise
        reciprocal_end       h_0 of the sample
        reciprocal_decrease  ∫ h ⟨g, u⟩ dτ, what guidance takes off: ∫ w h |g|² dτ in classifier-free guidance
        reciprocal_by_steps  Σ h ⟨g, x_prev − μ⟩, of mean 0 unless a guidance such as DSG chose the step
        reciprocal_residual  start − end − decrease − by_steps, whose mean is 0 for the reverse SDE (2505.01382)

    and to TensorBoard, of the first batch, the means of h and of h ⟨g, u⟩ against the step. One more evaluation of the
    score model a step, which is not counted.

    Args:
        classifier: p(c | x_t), as dsg.combiners.MixtureClassifier of a closed form.

    Raises:
        UserError: before the first sample, for a process that is no Gaussian one, classes that are not the score
            model's, or data without labels.
    """

    metrics = "reciprocal_(start|end|decrease|by_steps|residual)"

    def __init__(self, classifier: NoisyClassifier) -> None:
        self.classifier = classifier

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        if not isinstance(module, GuidedDiffusion):
            raise UserError(
                f"callbacks.reciprocal_path: follows a Gaussian path, and {type(module).__name__} takes none; leave it "
                "out"
            )
        if self.classifier.num_classes != module.score_model.num_classes:
            raise UserError(
                f"callbacks.reciprocal_path.classifier: it has {self.classifier.num_classes} classes and the score "
                f"model {module.score_model.num_classes or 0}; take a classifier with the same classes"
            )
        if data.largest_label() is None:
            raise UserError("callbacks.reciprocal_path.classifier: the data has no labels; set data.labels")

    def on_predict_start(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        self.classifier.to(pl_module.device)
        self._terms, self._sink = TheoremTerms(self.classifier), told(trainer)
        self._curves: list[tuple[str, Tensor, int]] = []
        pl_module.observers.append(self)

    def on_sampling_step(self, record: Record, process: Process, keys: list[SampleKey]) -> None:
        assert isinstance(record, StepRecord) and isinstance(process, ReverseProcess)  # noqa: PT018 (checked)
        self._terms.add(record, process)
        if self._sink is not None:
            for name, values in (("mean", self._terms.reciprocal), ("rate", self._terms.rate)):
                self._curves.append((name, values.mean(), record.step.position))

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if not outputs.keys:
            return
        if self._sink is not None:
            for name, value, position in self._curves:
                self._sink.scalar(f"reciprocal_path/{name}", value.item(), position)
        self._sink, self._curves = None, []  # one batch makes one curve
        terms = self._terms
        for name in ("start", "end", "decrease", "by_steps", "residual"):
            for row, value in zip(outputs.rows, getattr(terms, name).tolist(), strict=True):
                if row["status"] == "ok":
                    row[f"reciprocal_{name}"] = value

    def on_predict_end(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        if self in pl_module.observers:
            pl_module.observers.remove(self)

    def on_exception(self, trainer: Trainer, pl_module: SamplingModule, exception: BaseException) -> None:
        self.on_predict_end(trainer, pl_module)
