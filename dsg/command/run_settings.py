"""The record of which settings, code and machine made a run folder."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser, Namespace

# what no sample and no row depends on
IGNORED = ("progress", "diagnostics", "timing", "distribution", "diversity", "watch")
IGNORED += ("data.init_args.batch_size", "data.init_args.num_workers")
# what no sample depends on, but the summary
NOTED = ("data.init_args.limit", "data.init_args.first", "data.init_args.spread")
NOTED += ("callbacks.classification.init_args.twin",)


def run_settings(
    parser: ArgumentParser, config: Namespace
) -> tuple[dict[str, Any], str, list[str], tuple[str, ...], bool]:
    """What `RunFolder.open` asks for, in its order."""
    settings = json.loads(parser.dump(config, format="json", skip_unset=False))["predict"]
    for name in ("config", "strengths", "run_dir", "fresh", "seed_everything"):
        settings.pop(name, None)
    trainer = [f"trainer.{name}" for name in settings["trainer"] if name != "precision"]
    return settings, _head(), [*IGNORED, *trainer], NOTED, config.predict.fresh


def _head() -> str:
    """Comment lines that say which code, libraries and machine made a run."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "lightning", "torchmetrics", "diffusers"))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    return f"# git {_git_state()}\n# python {platform.python_version()}, {packages}\n# device {device}\n"


def _git_state() -> str:
    command = ["git", "--no-optional-locks", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown (not a checkout)"
