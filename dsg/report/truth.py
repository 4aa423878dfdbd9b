"""The images that were measured: no run folder holds them, so they are read again from where config.yaml says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dsg.command.exit_codes import flat
from dsg.data.base import EvaluationData
from dsg.data.examples import IMAGE, Examples, measured_unseen
from dsg.data.image_file import to_uint8
from dsg.errors import UserError
from dsg.metrics.image import psnr
from dsg.report.labels import at
from dsg.report.trusted import plain, trusted_class
from tasks import Sum, Task

TOLERANCE = 0.05  # dB: devices differ in rounding, other pictures by far more


def open_data(settings: dict[str, Any], trusted: Sequence[str] = (), labels: bool = False) -> EvaluationData:
    """The data of a run's settings, of the arguments in config.yaml as they are, with its ids found.

    Args:
        settings: config.yaml.
        trusted: modules besides the library whose classes may be imported.
        labels: whether to read the class labels. The truth has none, and a file of labels that a run folder names is
            not to be quoted on the page.

    Raises:
        UserError: if that is not possible any more, for whatever reason, and for a class that is not to be imported.
    """
    try:
        kind = trusted_class(at(settings, "data.class_path"), EvaluationData, trusted)
        arguments = plain(at(settings, "data.init_args") or {})
        if not labels:
            arguments = {name: value for name, value in arguments.items() if name != "labels"}
        data = kind(**arguments)  # type: ignore[reportAbstractUsage]: a subclass
        data.keys()
        return data
    except Exception as error:  # any class may stand in a configuration, and it may be gone
        raise UserError(_reason(error)) from error


def compared_with(
    settings: dict[str, Any], trusted: Sequence[str] = (), data: EvaluationData | None = None
) -> tuple[str | None, str]:
    """What the task of a run's settings compares its samples with: `image`, a column of the data, or nothing.

    Of `data` that gives measurements without the images it is nothing too.
    Where the task is not to be imported it is taken to be the image, and the second value says why: check_truth finds
    out if it was another.
    """
    if data is not None and measured_unseen(data.columns()):
        return None, ""
    try:
        return _of_task(at(settings, "model.task"), trusted), ""
    except UserError as reason:
        return IMAGE, str(reason)


def _of_task(settings: Any, trusted: Sequence[str]) -> str | None:
    kind = trusted_class(at(settings, "class_path"), Task, trusted)
    if not issubclass(kind, Sum):
        return kind.compared_with
    parts = [_of_task(part, trusted) for part in at(settings, "init_args.tasks") or []]
    return next((name for name in parts if name is not None), None)


def read_truth(data: EvaluationData, image_id: str, name: str = IMAGE) -> Tensor:
    """The image that the data calls `name`, (3,H,W), uint8, grey repeated as the run's pictures are read here.

    Raises:
        UserError: saying why there is none.
    """
    try:
        image = to_uint8(Examples.of([data.load(image_id)]).tensor(name)[0])
        return image.expand(3, -1, -1) if len(image) == 1 else image
    except Exception as error:  # as above
        raise UserError(_reason(error)) from error


def check_truth(truth: Tensor, sample: Tensor, recorded: float | None) -> None:
    """Raise UserError if `truth` cannot be what the sample, both (3,H,W) uint8, was measured against.

    Args:
        recorded: the row's PSNR in dB, where it has one. Without, any image that a folder names could be shown.
    """
    if truth.shape != sample.shape:
        raise UserError(f"the image is {_size(truth)} now and the sample {_size(sample)}")
    if recorded is None:
        raise UserError("no PSNR was recorded by which the image could be known again")
    now = psnr(sample[None].float() / 255, truth[None].float() / 255).item()
    if now != recorded and not abs(now - recorded) < TOLERANCE:
        raise UserError(f"the image has changed: PSNR to it is {now:.2f} dB, and {recorded:.2f} dB was measured")


def error_picture(truth: Tensor, sample: Tensor, gain: int) -> Tensor:
    """gain · |sample − truth|, clipped: black is no error. All (3,H,W) uint8."""
    difference = (sample.int() - truth.int()).abs() * gain
    return difference.clamp(max=255).to(torch.uint8)


def _reason(error: BaseException) -> str:
    """The innermost UserError's words, or else the error's own with its kind."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return str(cause)
        cause = cause.__cause__
    return f"{type(error).__name__}: {flat(error)}"


def _size(image: Tensor) -> str:
    return "x".join(map(str, image.shape[1:]))
