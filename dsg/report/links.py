"""Links from the page to the run folders, which work where both lie as they did when it was written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from dsg.report.evaluated_run import EvaluatedRun

FILES = ("config.yaml", "per_image.csv", "metrics.json", "trace.json", "samples")


def folder_links(runs: Sequence[EvaluatedRun], out: Path) -> list[str]:
    """Of each run its folder's address relative to `out`, `../dps/`; empty where there is none, on another drive."""
    return [_relative(run.folder.path, out) for run in runs]


def files_of(run: EvaluatedRun, folder: str) -> list[tuple[str, str]]:
    """(name, address) of what is in a run folder."""
    return [(name, f"{folder}{name}") for name in FILES if folder and (run.folder.path / name).exists()]


def below(folder: str, *parts: str) -> str:
    """The address of a file below a run's; nothing where the run has none."""
    return f"{folder}{quote('/'.join(parts))}" if folder else ""


def place_of(out: Path) -> str:
    """By what a page knows where it was written: the end of its path, `/runs/report/report.html`."""
    # no more than the last two folders: the page is sent to others, whom the rest does not concern
    named = [part for part in Path(os.path.normpath(out)).parts if part not in ("..", ".", out.anchor)]
    return "/" + "/".join([*named[-2:], "report.html"])


def _relative(folder: Path, out: Path) -> str:
    try:
        path = os.path.relpath(folder.resolve(), out.resolve())
    except ValueError:
        return ""
    return quote(Path(path).as_posix()) + "/"
