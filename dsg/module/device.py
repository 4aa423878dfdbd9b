"""What is asked of a device by the clock and by the account of memory, whichever kind it is: cuda, mps, xpu, cpu."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

try:
    import resource
except ImportError:  # Windows
    resource = None


def seconds_on(device: torch.device) -> float:
    """Seconds on a clock that has waited until the device has done all that it was given."""
    if device.type != "cpu" and hasattr(module := torch.get_device_module(device), "synchronize"):
        module.synchronize(device) if device.type in ("cuda", "xpu") else module.synchronize()
    return time.perf_counter()


def moment(device: torch.device) -> Any:
    """A moment in the device's stream of work, for `seconds_between`; nobody waits for it. On a CPU it is now."""
    if device.type == "cpu":
        return time.perf_counter()
    if not hasattr(module := torch.get_device_module(device), "Event"):
        return seconds_on(device)
    event = module.Event(enable_timing=True)
    event.record()
    return event


def seconds_between(start: Any, end: Any) -> float:
    """Seconds from one `moment` of a device to another, once it has got there (`seconds_on`)."""
    return end - start if isinstance(start, float) else start.elapsed_time(end) / 1000


def on_its_way(tensor: Tensor) -> Callable[[], Tensor]:
    """Begin to bring a tensor to the CPU; what is returned waits until it is there, and gives it. So the host need not
    wait, nor the device, where it is a GPU: the copy goes to pinned memory, between what it was given before and after.
    """
    if tensor.device.type != "cuda":
        arrived = tensor.cpu()
        return lambda: arrived
    copy = tensor.to("cpu", non_blocking=True)
    event = torch.cuda.Event()
    event.record()

    def wait() -> Tensor:
        event.synchronize()
        return copy

    return wait


def reset_peak_memory(device: torch.device) -> None:
    """Begin to look for the peak anew, where the device keeps account of it."""
    if device.type != "cpu" and hasattr(module := torch.get_device_module(device), "reset_peak_memory_stats"):
        module.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int | None:
    """Bytes: what the device's tensors took at most; on mps, which keeps no such account, what the driver holds, which
    grows with the peak; on a CPU the largest resident set of the process. None where nobody says, as on Windows.
    """
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    if device.type != "cpu":
        measure = getattr(torch.get_device_module(device), "max_memory_allocated", None)
        return None if measure is None else measure(device)
    if resource is None:
        return None
    # in bytes on macOS, in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def free_memory(device: torch.device) -> int | None:
    """Bytes that tensors can still have: on a CPU what the system says is available, and no more than the group of
    processes may take (a container's limit); elsewhere what nobody holds, and what torch holds for nothing. None where
    nobody says.
    """
    if device.type == "cpu":
        return min((known for known in (_available(), _left_of_group()) if known is not None), default=None)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    if not hasattr(module := torch.get_device_module(device), "mem_get_info"):
        return None
    return module.mem_get_info(device)[0] + module.memory_reserved(device) - module.memory_allocated(device)


def give_back_memory(device: torch.device) -> None:
    """Give the driver what torch holds for nothing, where it holds any."""
    if device.type != "cpu" and hasattr(module := torch.get_device_module(device), "empty_cache"):
        module.empty_cache()


def _available() -> int | None:
    lines = _read(Path("/proc/meminfo")).splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _left_of_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Of control groups (version 2), as a container has them; what files left in memory can be given back."""
    most, now = _read(folder / "memory.max").strip(), _read(folder / "memory.current").strip()
    if not (most.isdecimal() and now.isdecimal()):
        return None
    kept = (line.split() for line in _read(folder / "memory.stat").splitlines())
    return int(most) - int(now) + sum(int(number) for name, number in kept if name == "inactive_file")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:  # another system
        return ""
