"""The noise levels that some trainings keep beside the weights, against those that the model is told of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from dsg.diffusion.schedule import NoiseSchedule, Schedule
from dsg.errors import UserError
from dsg.models.entries import groups

_TABLES = ("betas", "alphas_cumprod")
_TOLERANCE = 1e-3  # of √ā, in which tables of float32 and those rounded to float16 agree


def without_tables(tensors: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """`tensors` but for the tables that `check_stored_schedule` compares, where the network has no such `names`."""
    return {n: tensor for n, tensor in tensors.items() if n in names or n not in _TABLES or tensor.ndim != 1}


def check_stored_schedule(content: Mapping[str, Any], schedule: Schedule, path: object) -> None:
    """Refuse a checkpoint that holds `betas` or `alphas_cumprod` of another table than `schedule`.

    Without it the network would be asked at levels it was not trained at, and answer all the same.

    Raises:
        UserError: if the tables differ; it names the tensor.
    """
    if not isinstance(schedule, NoiseSchedule):
        return
    for group in groups(content):
        for name, tensor in group.tensors.items():
            kind = name.rpartition(".")[2]
            if kind not in _TABLES or tensor.ndim != 1:
                continue
            values = tensor.detach().double().numpy()
            stored = np.cumprod(1.0 - values) if kind == "betas" else values
            if len(stored) == len(schedule) and np.allclose(stored**0.5, schedule.alpha_bar**0.5, atol=_TOLERANCE):
                continue
            raise UserError(
                f"checkpoint {path}: {group.place}{name} is a table of {len(stored)} levels down to ā = "
                f"{stored[-1]:.3g}, and the schedule has {len(schedule)} down to {schedule.alpha_bar[-1]:.3g}; set the "
                "model's schedule to the one of the training"
            )
