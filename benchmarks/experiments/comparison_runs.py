"""The finished runs of a comparison, as an experiment reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dsg import yaml_text
from dsg.errors import UserError
from dsg.run_folder.folder import METRICS
from dsg.run_folder.settings import SETTINGS


def finished_runs(comparison: Path) -> list[Path]:
    """The folders of its evaluation runs that have ended. Raises UserError if there is none."""
    runs = sorted(file.parent for file in comparison.glob(f"runs/*/*/*/{METRICS}"))
    if not runs:
        raise UserError(f"--comparison: no finished run in {comparison}; run the comparison first")
    return runs


def settings_and_summary(run: Path) -> tuple[Any, dict[str, Any]]:
    """What config.yaml and metrics.json of a run say."""
    settings, summary = ((run / name).read_text(encoding="utf-8") for name in (SETTINGS, METRICS))
    return yaml_text.load(settings), json.loads(summary)
