"""Whether a model, a task, a method and the data fit, found out before the first sample."""

from __future__ import annotations

from functools import partial

from dsg.data.base import EvaluationData
from dsg.data.batches import check_workers
from dsg.data.examples import KERNEL, LABEL, MASK
from dsg.data.file_names import check_file_names
from dsg.errors import UserError
from dsg.process import AnySampler
from tasks.base import InverseProblem, Task


def check_data(sampler: AnySampler, data: EvaluationData) -> None:
    """Raise UserError if the task, the model and the data do not fit."""
    data.bind(sampler.model)
    keys = data.keys()  # finds what is wrong with the data itself
    check_file_names(keys, partial(sampler.model.medium.files, whole_problem=data.whole_problems))
    check_workers(data)
    columns = data.columns()
    sampler.task.check_columns(columns)
    shape = sampler.model.image_shape
    if data.image_shape is not None and data.image_shape != shape:
        raise UserError(
            f"data: its images are {_size(data.image_shape)} and the model's {_size(shape)}; {_shape_mend(data, shape)}"
        )
    _check_condition(sampler, columns)
    sampler.model.check_examples(data.known)
    _check_labels(sampler, data)
    sampler.task.check(shape)
    sampler.task.check_examples(data.known)
    _check_measurements(sampler.task, data, shape)


def notes_on(sampler: AnySampler, data: EvaluationData) -> list[str]:
    """What whoever starts an evaluation should be told of the data and the model, a line each."""
    columns = data.columns()
    unread = columns - sampler.task.needs - {sampler.task.compares(columns)}
    return [*data.notes(), *sampler.model.notes(unread, sampler.leads_away)]


def _check_measurements(task: Task, data: EvaluationData, shape: tuple[int, ...]) -> None:
    """Whether measurements that the data gives, and what they are measured through, are those of the task."""
    brought = data.brings()
    if unused := sorted(brought & {MASK, KERNEL} - task.needs):
        instead = {MASK: "tasks.GivenMaskInpainting", KERNEL: "tasks.GivenKernelDeblurring"}[unused[0]]
        raise UserError(
            f"data.{unused[0]}s: {type(task).__name__} does not look at the {unused[0]} that the data brings; "
            f"take {instead}, or leave out data.{unused[0]}s, or the tensor {unused[0]} in the measurements"
        )
    if brought and isinstance(task, InverseProblem):
        data.expect(task.expected(shape))


def _check_condition(sampler: AnySampler, columns: frozenset[str]) -> None:
    """Whether the data has what a condition is made of, where somebody needs one."""
    model = sampler.model
    for who, names in sampler.needs:
        missing = sorted(names - columns)
        if missing == [LABEL] and who is model:
            raise UserError(
                f"data.labels: the model needs labels, of {sampler.num_classes} classes, and the data has none; set "
                "data.labels"
            )
        if missing == [LABEL]:
            raise UserError(
                f"data.labels: {type(who).__name__} guides by class, and the data has none; set data.labels"
            )
        if missing:
            raise UserError(
                f"data: {type(who).__name__} needs {', '.join(missing)} of every example, of which "
                f"{type(model).__name__} makes its condition; {model.mend(missing)}"
            )


def _check_labels(sampler: AnySampler, data: EvaluationData) -> None:
    """Whether labels that the data has are classes of the model."""
    classes, largest = sampler.num_classes, data.largest_label()
    if largest is None or (classes is None and sampler.model.is_conditional):
        return
    if classes is None and LABEL in sampler.task.needs:
        return
    if classes is None:
        raise UserError("data.labels: the model is unconditional; leave the labels out, or take another model")
    by_order = data.classes_by_order()
    if by_order is not None and by_order != classes:
        raise UserError(
            f"data.labels: there are {by_order} class folders and the model has {classes} classes, so their order does "
            "not say which is which; bring all of them, or give data.labels a CSV file with lines id,label"
        )
    if largest >= classes:
        raise UserError(f"data.labels: must be 0 to {classes - 1}, the model's classes, got {largest}")


def _shape_mend(data: EvaluationData, wanted: tuple[int, ...]) -> str:
    """How data comes to have the model's shape, where it can."""
    another = "take the model that belongs to the data"
    if not data.resizes or len(wanted) != 3 or wanted[0] not in (1, 3):
        return f"{another}, or data that belong to the model"
    found = data.image_shape or ()
    height, width = wanted[1:]
    size = f"data.image_size to {height if height == width else [height, width]}"
    options = [size] * (found[1:] != wanted[1:]) + [f"data.channels to {wanted[0]}"] * (found[:1] != wanted[:1])
    return f"set {' and '.join(options)}, or {another}"


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
