"""Whether another classifier sees the class that a sample should have."""

from __future__ import annotations

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from callbacks.base import EvaluationCallback
from dsg.data.base import ImageBatch
from dsg.data.image_file import to_uint8
from dsg.errors import UserError
from dsg.module import BatchResult, GuidedDiffusion
from tasks import ClassLabel
from tasks.classifier import count_classes, log_probabilities


class Classification(EvaluationCallback):
    """Adds to every row what a judge says of the sample's 8-bit picture. c is the class that the task asks for, or else
    the label of the image:

        judge_probability   p(c | x)
        judge_correct       1 where c is the judge's most probable class, 0 elsewhere

    The mean of `judge_correct` in metrics.json is the accuracy.

    Args:
        judge: images (B,3,H,W) in [−1, 1] → logits (B,K), frozen here; one that the sampler does not follow, as
            dsg.models.portraits.classifier.PortraitsClassifier with the role judge. null adds no columns.

    Raises:
        UserError: before the first sample, for a judge that does not fit the images or the classes, and where neither
            the task nor the data has classes.
    """

    def __init__(self, judge: nn.Module | None = None) -> None:
        self.judge = judge if judge is None else judge.eval().requires_grad_(False)

    def on_predict_start(self, trainer: Trainer, pl_module: GuidedDiffusion) -> None:
        if self.judge is None:
            return
        shape, task = pl_module.score_model.image_shape, pl_module.sampler.task
        known = count_classes(self.judge, shape, "classification.judge")
        if isinstance(task, ClassLabel):
            needed = task.num_classes(shape)
        else:
            largest = trainer.datamodule.largest_label()  # type: ignore[attr-defined]
            if largest is None:
                raise UserError(
                    f"classification.judge: {type(task).__name__} asks for no class and the data has no labels; "
                    "set data.labels, or leave the judge out"
                )
            needed = largest + 1
        if known < needed or (isinstance(task, ClassLabel) and known != needed):
            raise UserError(
                f"classification.judge: it knows {known} classes and there are {needed}; take a judge of the same ones"
            )
        self.judge.to(pl_module.device)

    @torch.no_grad()
    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: GuidedDiffusion, outputs: BatchResult, batch: ImageBatch, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if self.judge is None or not outputs.keys:
            return
        pictures = to_uint8(outputs.samples.nan_to_num()).float() / 127.5 - 1
        with torch.autocast(pl_module.device.type, enabled=False):
            probabilities = log_probabilities(self.judge, pictures).exp()
        classes = _classes(pl_module, outputs, batch).to(probabilities.device)
        stated = probabilities.gather(1, classes[:, None]).flatten().tolist()
        right = (probabilities.argmax(dim=1) == classes).int().tolist()
        good = [i for i, row in enumerate(outputs.rows) if row["status"] == "ok"]
        for i in good:
            outputs.rows[i] |= {"judge_probability": stated[i], "judge_correct": right[i]}


def _classes(module: GuidedDiffusion, outputs: BatchResult, batch: ImageBatch) -> Tensor:
    """(B,) int64: what each sample should be."""
    if isinstance(module.sampler.task, ClassLabel):
        assert outputs.measurement is not None  # there are samples
        return outputs.measurement.y
    assert batch.labels is not None  # checked before the first sample
    return batch.labels
