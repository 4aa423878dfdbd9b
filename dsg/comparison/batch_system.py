"""A host of a comparison is no process of a run, whatever the batch system that started it may say."""

from __future__ import annotations

import os

from lightning.pytorch.utilities import rank_zero_only

SLURM = ("SLURM_NTASKS", "SLURM_NPROCS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE")
"""By these Lightning would take the tasks of a job for the processes of one run, and let the first alone speak."""


def stand_alone() -> None:
    """From here on, in this process and those that it starts, each run has its one process."""
    for name in SLURM:
        if os.environ.pop(name, None) is not None:
            rank_zero_only.rank = 0
