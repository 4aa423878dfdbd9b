"""Which GPUs and cores the workers of a comparison share out."""

from __future__ import annotations

import os

import torch

CUDA, HIP = "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"


def gpus() -> list[str]:
    """The GPUs that this process may use, each by the name that shows it to another process alone: its number or, as
    the environment has it, its UUID (`GPU-...`) or that of a slice of it (`MIG-...`).

    It is asked before workers start, and they are told: where NVML is missing, torch asks CUDA, which from then on sees
    what it saw then, whatever the environment says later. CUDA shows a process one slice at most, so they are counted
    by their names.
    """
    count = torch.cuda.device_count()
    listed = os.environ.get(_variable())
    if count == 0:
        return []
    if listed is None:
        return [str(number) for number in range(count)]
    names = [name.strip() for name in listed.split(",")]
    if names[0].startswith("MIG-"):
        return [name for name in dict.fromkeys(names) if name.startswith("MIG-")]
    return names[:count]  # CUDA reads up to the first that is not there


def use_gpu(name: str) -> None:
    """Let this process see one GPU alone; before it asks for any."""
    os.environ[_variable()] = name


def cores() -> int:
    """How many cores this process may use, which a scheduler or a container may have limited."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _variable() -> str:
    """The environment's word for the GPUs that are shown; on AMD's an own one goes first, where it is set."""
    return HIP if torch.version.hip and HIP in os.environ else CUDA
