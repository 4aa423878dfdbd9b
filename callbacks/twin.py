"""The same samples from the same noise, without guidance: another run folder, paired sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsg import yaml_text
from dsg.errors import UserError
from dsg.metrics.per_image import per_image
from dsg.metrics.statistics import Interval, mean_with_interval
from dsg.report.labels import at
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.journal import Row
from dsg.run_folder.settings import SETTINGS

# of `model`; they make the noise's path
SAME = ("seed", "steps", "spacing", "kernel", "score_model", "token_model", "schedule", "clip_denoised")


class Twin:
    """A finished run folder to compare with.

    Args:
        path: of the run folder.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        if not (self.path / SETTINGS).is_file():
            raise UserError(f"callbacks.classification.twin: {path} is no run folder; run it without guidance first")

    def check(self, folder: RunFolder) -> None:
        """Raise UserError unless the twin's samples come from the same noise as those of `folder`."""
        own, other = (yaml_text.load((p / SETTINGS).read_text(encoding="utf-8")) for p in (folder.path, self.path))
        for name in (*(f"model.{name}" for name in SAME), "data.class_path"):
            if at(own, name) != at(other, name):
                raise UserError(
                    f"callbacks.classification.twin: {self.path} has another {name}; run it again with that of this "
                    "run, and no guidance"
                )

    def worse(self, rows: Sequence[Row]) -> Interval:
        """The share of samples whose probability is lower than the twin's: its mean over images.

        Args:
            rows: with `judge_log_probability`; those of failed samples have none, and are left out.

        Raises:
            UserError: if the twin lacks a sample, or its probabilities.
        """
        twins = {
            (row["id"], row["sample"]): row["judge_log_probability"]
            for row in RunFolder(self.path).rows()
            if "judge_log_probability" in row
        }
        compared = []
        for row in rows:
            key = (row["id"], row["sample"])
            if key not in twins:
                raise UserError(
                    f"callbacks.classification.twin: {self.path} has no judged sample {row['sample']} of {row['id']}; "
                    "finish it with the same data and judge"
                )
            worse = float(row["judge_log_probability"] < twins[key])
            compared.append({"id": row["id"], "sample": row["sample"], "status": "ok", "worse": worse})
        return mean_with_interval(list(per_image(compared).values["worse"].values()))
