"""What a comparison needs of a run folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from dsg.errors import UserError
from dsg.metrics.of_samples import of_one_sample
from dsg.metrics.per_image import per_image
from dsg.metrics.results import Results
from dsg.metrics.summary_shape import summary_of
from dsg.run_folder.folder import METRICS, TABLE
from dsg.run_folder.provenance import Provenance
from dsg.run_folder.settings import SettingsFile, measures_with_noise


def read_results(folder: Path) -> Results:
    """The results in a run folder.

    Raises:
        UserError: if it holds none.
    """
    try:
        with (folder / TABLE).open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        found = per_image(rows)
        metrics = summary_of(json.loads((folder / METRICS).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise UserError(f"{folder}: holds no results that can be read; delete it and run again") from error
    noisy = "residual" in found.samples or measures_with_noise(SettingsFile(folder).read())
    made_by = Provenance(folder)
    starts, unrecorded = made_by.made_all(rows), made_by.unrecorded(rows)
    return Results(found, metrics.get("metrics", {}), metrics.get("unavailable", {}), noisy, starts, unrecorded)


def require_metrics(results: Results, name: str, metrics: list[str]) -> None:
    """Raise UserError, with the run's own reason, unless the run has all of `metrics`, or no image to measure."""
    if not results.images:
        return
    for metric in metrics:
        if not results.has(metric):
            known = results.unavailable.get(metric) or results.unavailable.get(of_one_sample(metric))
            reason = known or f"there are {', '.join(sorted(results.images))}"
            raise UserError(
                f"comparison.metrics: {name} has no {metric} ({reason}); "
                "mend that, take it away, or name it in optional_metrics"
            )
