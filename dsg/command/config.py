"""Configurations by axis, and the record of which settings made a run folder."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import NoneType
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentParser, Namespace

from dsg.errors import UserError

# what no sample and no row depends on
IGNORED = ("progress", "diagnostics", "timing", "distribution", "diversity", "watch")
IGNORED += ("data.init_args.batch_size", "data.init_args.num_workers")
NOTED = ("data.init_args.limit", "classification.twin")  # what no sample depends on, but the summary


def expand_includes(args: Sequence[str]) -> list[str]:
    """Put `--config F` for every F in the `include` list of a `--config` before it, depth first.

    So an experiment says which model, data, task and guidance it is made of, and its own lines override theirs.
    """
    expanded: list[str] = []
    remaining = iter(args)
    for arg in remaining:
        option, _, value = arg.partition("=")
        if option not in ("--config", "-c"):
            expanded.append(arg)
            continue
        file = value or next(remaining, "")
        if not file:
            raise UserError("--config: names no file")
        for nested in with_includes(Path(file)):
            expanded += ["--config", str(nested)]
    return expanded


def with_includes(file: Path, within: tuple[Path, ...] = ()) -> list[Path]:
    """`file` after all that its `include` list names, depth first; each is YAML that holds settings, or a UserError."""
    if file.resolve() in within:
        raise UserError(f"include: {file} includes itself, by way of {within[-1]}; break the circle")
    by = f", included by {within[-1]}" if within else ""
    if not file.is_file():
        raise UserError(f"--config: no file at {file}{by}")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--config: cannot read {file}{by}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--config: {file} is not YAML{by}: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict | NoneType):
        raise UserError(f"--config: {file} holds no settings (`key: value`){by}, but {type(content).__name__}")
    includes = (content or {}).get("include") or []
    if not isinstance(includes, list) or not all(isinstance(name, str) for name in includes):
        raise UserError(f"include: must be a list of files in {file}, got {includes!r}")
    chain = (*within, file.resolve())
    return [nested for name in includes for nested in with_includes(file.parent / name, chain)] + [file]


def run_settings(
    parser: ArgumentParser, config: Namespace
) -> tuple[dict[str, Any], str, list[str], tuple[str, ...], bool]:
    """What `RunFolder.open` asks for, in its order."""
    settings = json.loads(parser.dump(config, format="json", skip_unset=False))["predict"]
    for name in ("config", "include", "run_dir", "fresh", "seed_everything"):
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
