"""Whether a classifier can judge a run: it has to know the classes, and must not be what the sampler follows."""

from __future__ import annotations

from torch import Tensor, nn

from callbacks.independence import check_independent
from dsg.data.base import EvaluationData
from dsg.data.examples import LABEL
from dsg.errors import UserError
from dsg.module import BatchResult, SamplingModule
from tasks import ClassLabel
from tasks.networks.classifier import count_classes

OPTION = "callbacks.classification.judge"


def check_judge(judge: nn.Module, module: SamplingModule, data: EvaluationData) -> None:
    """Raise UserError unless `judge` knows the classes of the run and is independent of its guidance."""
    shape, task = module.model.image_shape, module.sampler.task
    known = count_classes(judge, shape, OPTION)
    if isinstance(task, ClassLabel):
        needed = task.num_classes(shape)
    else:
        largest = data.largest_label()
        if largest is None:
            raise UserError(
                f"{OPTION}: {type(task).__name__} asks for no class and the data has no labels; set data.labels, or "
                "leave the judge out"
            )
        needed = largest + 1
    if known < needed or (isinstance(task, ClassLabel) and known != needed):
        raise UserError(f"{OPTION}: it knows {known} classes and there are {needed}; take a judge of the same ones")
    check_independent(judge, module, OPTION)


def classes_of(module: SamplingModule, outputs: BatchResult) -> Tensor:
    """(B,) int64: the class that each sample should be of, of the task or else of the data."""
    if isinstance(module.sampler.task, ClassLabel):
        assert outputs.measurement is not None  # there are samples
        return outputs.measurement.y
    return outputs.examples.tensor(LABEL)  # checked before the first sample
