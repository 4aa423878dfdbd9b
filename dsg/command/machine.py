"""Which libraries and which machine make a run; no names of people, hosts or folders."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

# numpy's generators make the streams; the others make samples, pictures or metrics
LIBRARIES = (
    "torch", "torchvision", "lightning", "numpy", "torchmetrics", "lpips", "clean-fid", "diffusers", "scipy", "pillow",
    "safetensors", "deepinv",
)  # fmt: skip


@cache
def versions() -> dict[str, str | None]:
    """Python's version, and that of every library that results depend on; None where it is not installed."""
    known = {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}
    return known | {"torch": str(torch.__version__)}  # with its build


@cache
def system() -> str:
    """`Linux x86_64`."""
    return f"{platform.system()} {platform.machine()}"


def machine(device: torch.device, count: int = 1) -> dict[str, str | int | bool | None]:
    """What `count` devices like `device` are, on which processor, and how torch is told to compute there."""
    found: dict[str, str | int | bool | None] = {"name": cpu() if device.type == "cpu" else device.type}
    if device.type == "cuda":
        found["name"] = torch.cuda.get_device_name(device)
        found |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
        found |= {"cudnn_tf32": torch.backends.cudnn.allow_tf32, "cudnn_benchmark": torch.backends.cudnn.benchmark}
    return found | {
        "count": count,
        "cpu": cpu(),
        "threads": torch.get_num_threads(),
        "float32_matmul": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


@cache
def cpu() -> str:
    """The processor's model, or else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
