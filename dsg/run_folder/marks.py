"""How a folder that this program wrote is told from a folder of pictures."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from dsg.run_folder.folder import TABLE
from dsg.run_folder.settings import SETTINGS

SECTIONS = ("model:", "data:")  # what begins a line of every run's config.yaml


def holds_results(folder: Path, names: Collection[str]) -> bool:
    """Whether `folder` is one of a run or of a comparison, so that the pictures in it are results.

    Args:
        folder: the folder.
        names: of what lies in it, files and folders.
    """
    return _is_run_folder(folder, names) or _is_comparison(folder, names)


def _is_run_folder(folder: Path, names: Collection[str]) -> bool:
    """Whether `folder` is a run's, whatever ended that: its pictures are samples and measurements.

    A journal marks it, also where the settings are lost; so does a table beside settings, or samples beside settings of
    a run: a killed run may have no row yet, and a folder of other things a config.yaml and a folder of samples too.
    """
    if "rows" in names and next((folder / "rows").glob("rank*.jsonl"), None) is not None:
        return True
    if SETTINGS not in names:
        return False
    return TABLE in names or (not {"samples", "measurements"}.isdisjoint(names) and _are_of_a_run(folder / SETTINGS))


def _are_of_a_run(settings: Path) -> bool:
    try:
        lines = settings.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return all(any(line.startswith(section) for line in lines) for section in SECTIONS)


def _is_comparison(folder: Path, names: Collection[str]) -> bool:
    """A comparison writes its runs' settings to configs/runs and their output to logs, before any picture."""
    return {"configs", "logs"}.issubset(names) and (folder / "configs" / "runs").is_dir()
