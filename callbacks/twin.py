"""The same samples from the same noise, without guidance: another run folder, paired sample by sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

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
LOG_P = "judge_log_probability"
JUDGE = "callbacks.classification.init_args.judge"
# of `data.init_args`; which images are asked for, and how they are read
OTHERS = ("batch_size", "num_workers", "limit", "first", "spread")


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
        """Raise UserError unless the twin's samples come from the same noise as those of `folder`, and the same judge
        is asked for the same classes.
        """
        own, other = (yaml_text.load((p / SETTINGS).read_text(encoding="utf-8")) for p in (folder.path, self.path))
        arguments = [dict.fromkeys(at(settings, "data.init_args") or {}) for settings in (own, other)]
        of_data = [f"data.init_args.{name}" for name in arguments[0] | arguments[1] if name not in OTHERS]
        names = [*(f"model.{name}" for name in SAME), "data.class_path", *of_data, JUDGE]
        different = [name for name in names if at(own, name) != at(other, name)]
        if _classes(own) != _classes(other):
            different.append("model.task.init_args.target")
        if different:
            raise UserError(
                f"callbacks.classification.twin: {self.path} has another {different[0]}; run it again with that of "
                "this run, and no guidance"
            )

    def check_samples(self, keys: Iterable[tuple[str, int]]) -> None:
        """Raise UserError unless the twin has been asked for all of these (id, sample number), and has judged one."""
        rows = RunFolder(self.path).rows()
        missing = set(keys) - {(row["id"], row["sample"]) for row in rows}
        if not missing and not any(LOG_P in row for row in rows):
            raise UserError(f"callbacks.classification.twin: {self.path} has judged no sample; run it with this judge")
        if missing:
            image_id, sample = min(missing)
            raise UserError(
                f"callbacks.classification.twin: {self.path} lacks {len(missing)} samples, as sample {sample} of "
                f"{image_id}; finish it with the same data"
            )

    def worse(self, rows: Sequence[Row]) -> Interval:
        """The share of samples whose probability is lower than the twin's: its mean over images.

        Args:
            rows: with `judge_log_probability`. Samples that failed have none, here or in the twin, and are left out, as
                those are that a judge gives no number.
        """
        twins = {(row["id"], row["sample"]): row.get(LOG_P, math.nan) for row in RunFolder(self.path).rows()}
        pairs = [(row, row[LOG_P], twins.get((row["id"], row["sample"]), math.nan)) for row in rows]
        compared = [
            {"id": row["id"], "sample": row["sample"], "status": "ok", "worse": float(own < other)}
            for row, own, other in pairs
            if not (math.isnan(own) or math.isnan(other))
        ]
        return mean_with_interval(list(per_image(compared).values.get("worse", {}).values()))


def _classes(settings: dict[str, Any]) -> Any:
    """Where the classes are from that the judge is asked for: a number of the task, or the data's labels."""
    targets = _targets(at(settings, "model.task"))
    return targets[0] if targets else "label"


def _targets(task: Any) -> list[Any]:
    """Of the tasks that ask for a class, those of a sum one after the other."""
    if str(at(task, "class_path")).endswith("ClassLabel"):
        return [at(task, "init_args.target")]
    return [target for part in at(task, "init_args.tasks") or [] for target in _targets(part)]
