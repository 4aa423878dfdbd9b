"""How many runs have a machine's memory together: what a comparison tells its workers, by the environment."""

from __future__ import annotations

import os

_OF_THE_MACHINE, _OF_EACH_GPU = "TRAIN_FREE_EVAL_RUNS", "TRAIN_FREE_EVAL_RUNS_A_GPU"


def tell_sharing(of_the_machine: int, of_each_gpu: int) -> None:
    """From here on, in this process and those that it starts, so many runs are side by side."""
    os.environ[_OF_THE_MACHINE], os.environ[_OF_EACH_GPU] = str(of_the_machine), str(of_each_gpu)


def runs_sharing(device_type: str) -> int:
    """How many runs, this one too, have the memory of a device of that type (`cpu`, `cuda`, ...) together."""
    return int(os.environ.get(_OF_THE_MACHINE if device_type == "cpu" else _OF_EACH_GPU, "1"))
