"""Which recorded thing of EDM lies at a path, and how far ours is from it."""

from __future__ import annotations

import json
from pathlib import Path

from dsg.errors import UserError, first_line
from dsg.replay.edm.deviation import Deviation
from dsg.replay.edm.layers import layer_output
from dsg.replay.edm.networks import FORWARD, network_outputs
from dsg.replay.edm.trajectories import trajectory_steps
from dsg.replay.record import read_metadata


def records_at(path: Path) -> list[Path]:
    """What has a table each: a network's folder, a folder of layers, a trajectory, or all of them below a folder.

    Empty where there is no record of EDM.
    """
    if _is_network(path) or _are_layers(path) or (path.is_file() and _kind(path)):
        return [path]
    if not path.is_dir():
        return []
    files = [file for file in sorted(path.glob("*.safetensors")) if _kind(file)]
    folders = [record for folder in sorted(path.iterdir()) if folder.is_dir() for record in _inside(folder)]
    return [*files, *folders]


def compare(path: Path) -> list[Deviation]:
    """A deviation each of what is recorded at `path`, one of `records_at`.

    Raises:
        UserError: if it cannot be compared.
    """
    try:
        if _is_network(path):
            return list(network_outputs(path))
        if path.is_dir():
            return [layer_output(file) for file in sorted(path.glob("*.safetensors"))]
        return [layer_output(path)] if _kind(path) == "layer" else list(trajectory_steps(path))
    except UserError:
        raise
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else first_line(error)
        raise UserError(f"{path}: no record that can be compared ({reason})") from error


def _inside(folder: Path) -> list[Path]:
    if _is_network(folder) or _are_layers(folder):
        return [folder]
    return [file for file in sorted(folder.glob("*.safetensors")) if _kind(file)]


def _is_network(path: Path) -> bool:
    """Whether a folder has outputs of a network that names its class, as EDM's do and guided-diffusion's do not."""
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (path / FORWARD).is_file() and isinstance(config, dict) and "class_name" in config


def _are_layers(path: Path) -> bool:
    return path.is_dir() and any(_kind(file) == "layer" for file in sorted(path.glob("*.safetensors"))[:1])


def _kind(file: Path) -> str:
    """`layer`, `trajectory`, or nothing, by what the file says of itself."""
    try:
        metadata = read_metadata(file)
    except UserError:
        return ""
    if metadata.get("family") in ("edm", "edm2"):
        return "layer"
    return "trajectory" if metadata.get("sampler") in ("edm", "edm2") else ""
