"""Whether a classifier can judge a run: it has to know the classes, and must not be what the sampler follows."""

from __future__ import annotations

from torch import Tensor, nn

from callbacks.independence import check_independent
from dsg.data.base import EvaluationData
from dsg.data.examples import LABEL
from dsg.errors import UserError
from dsg.module import BatchResult, SamplingModule
from tasks import ClassLabel, Measurement, Sum, Task
from tasks.networks.classifier import count_classes
from tasks.sum import Parts

OPTION = "callbacks.classification.judge"


def check_judge(judge: nn.Module, module: SamplingModule, data: EvaluationData) -> None:
    """Raise UserError unless `judge` knows the classes of the run and is independent of its guidance."""
    shape, task = module.model.image_shape, module.sampler.task
    known, asked = count_classes(judge, shape, OPTION), task_of_classes(task)
    if asked is not None:
        needed = asked.num_classes(shape)
    else:
        largest = data.largest_label()
        if largest is None:
            raise UserError(
                f"{OPTION}: {type(task).__name__} asks for no class and the data has no labels; set data.labels, or "
                "leave the judge out"
            )
        needed = largest + 1
    if known < needed or (asked is not None and known != needed):
        raise UserError(f"{OPTION}: it knows {known} classes and there are {needed}; take a judge of the same ones")
    check_independent(judge, module, OPTION)


def classes_of(module: SamplingModule, outputs: BatchResult) -> Tensor:
    """(B,) int64: the class that each sample should be of, of the task or else of the data."""
    assert outputs.measurement is not None  # there are samples
    asked = _asked(module.sampler.task, outputs.measurement)
    return outputs.examples.tensor(LABEL) if asked is None else asked  # checked before the first sample


def task_of_classes(task: Task) -> ClassLabel | None:
    """The task that asks for a class: this one, or the first such of a sum."""
    if isinstance(task, Sum):
        return next((found for part in task.tasks if (found := task_of_classes(part)) is not None), None)
    return task if isinstance(task, ClassLabel) else None


def _asked(task: Task, measurement: Measurement) -> Tensor | None:
    """The classes that `task_of_classes` asks for, (B,)."""
    if isinstance(measurement, Parts) and isinstance(task, Sum):
        found = map(_asked, task.tasks, measurement.parts)
        return next((classes for classes in found if classes is not None), None)
    return measurement.y if isinstance(task, ClassLabel) else None
