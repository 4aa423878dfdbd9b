"""What another classifier thinks of the class that a sample should have: the mean of 1/p, which guidance lowers."""

from __future__ import annotations

import math
import sys
from typing import Any

from lightning.pytorch import Trainer
from torch import nn

from callbacks.base import EvaluationCallback
from callbacks.judge import check_judge, classes_of
from callbacks.judging import judging
from callbacks.twin import Twin
from dsg.data.base import EvaluationData
from dsg.metrics.reciprocal import Reciprocal
from dsg.module import BatchResult, SamplingModule
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.journal import Row
from tasks.networks.classifier import log_probabilities


class Classification(EvaluationCallback):
    """Adds to every row what a judge says of the sample: as its file holds it, so of the 8-bit picture. c is
    the class that the task asks for, or else the label of the image:

        judge_probability      p(c | x)
        judge_log_probability  log p(c | x)
        judge_reciprocal       1/p(c | x), whose mean guidance lowers (Li & Jiao 2025, 2505.01382, theorem 1)
        judge_correct          1 where c is the judge's most probable class, 0 elsewhere
        judge_confidence       max_k p(k | x), that of its most probable class: beside judge_correct it tells whether
                               the judge means what it says (dsg.metrics.calibration, and the table of `report`)

    Their means are in metrics.json, that of `judge_correct` being the accuracy. `judge_reciprocal` has there also
    `standard_error`, `effective_samples`, `tail_index`, `largest_share` and `truncated`, the mean of min(1/p, 100); a
    line in `warnings` says if it is not to be trusted, and it is no number where a probability is 0.

    Args:
        judge: states (B, *shape), images in [−1, 1] → logits (B,K), frozen here; one that the sampler does not follow,
            as dsg.models.portraits.classifier.PortraitsClassifier with the role judge, or
            dsg.models.mixture.MixtureJudge of a closed form.
        twin: finished run folder of the same samples from the same noise without guidance (w = 0). metrics.json then
            has `worse_than_twin`, the share of samples whose p(c | x) is lower than their twin's.

    Raises:
        UserError: before the first sample, for a judge that does not fit the states or the classes, or has the weights
            of the classifier that the sampler follows; where neither the task nor the data has classes; for a twin of
            other samples, or that is not finished.
    """

    metrics = "judge_(probability|log_probability|reciprocal|correct|confidence)|worse_than_twin"

    def __init__(self, judge: nn.Module, twin: str | None = None) -> None:
        self.judge = judge.eval().requires_grad_(False)
        self.twin = None if twin is None else Twin(twin)

    def networks(self) -> dict[str, nn.Module]:
        return {"classification.judge": self.judge}

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        check_judge(self.judge, module, data)
        if self.twin is not None:
            self.twin.check_samples(data.keys())

    def on_predict_start(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        super().on_predict_start(trainer, pl_module)
        if self.twin is not None and trainer.is_global_zero:
            self.twin.check(RunFolder(trainer.default_root_dir))

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if not outputs.keys:
            return
        with judging(pl_module, outputs) as judged:
            log_p = log_probabilities(self.judge, judged).cpu().double()  # not every device has float64
        classes = classes_of(pl_module, outputs).to(log_p.device)
        stated = log_p.gather(1, classes[:, None]).flatten()
        columns = {
            "judge_probability": stated.exp(),
            "judge_log_probability": stated,
            "judge_reciprocal": (-stated).exp(),
            "judge_correct": (log_p.argmax(dim=1) == classes).int(),
            "judge_confidence": log_p.amax(dim=1).exp(),
        }
        for i, row in enumerate(outputs.rows):
            if row["status"] == "ok":
                row |= {name: values[i].item() for name, values in columns.items()}

    def complete(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        rows = [row for row in RunFolder(trainer.default_root_dir).rows() if "judge_log_probability" in row]
        if not rows:
            return
        _trust(rows, metrics)
        if self.twin is not None:
            metrics["metrics"]["worse_than_twin"] = self.twin.worse(rows).as_dict()
        for warning in metrics.get("warnings", []):
            if "1/p" in warning:
                print(f"warning: {warning}", file=sys.stderr)


def _trust(rows: list[Row], metrics: dict[str, Any]) -> None:
    """Say how far the mean reciprocal of the rows can be trusted."""
    of_samples = metrics["metrics"]["judge_reciprocal"]
    if unknown := sum(row["judge_log_probability"] != row["judge_log_probability"] for row in rows):
        line = f"the judge gives {unknown} samples no probability: their 1/p is NaN and in no mean"
        metrics["warnings"] = [*metrics.get("warnings", []), line]
        return
    found = Reciprocal.of([row["judge_log_probability"] for row in rows])
    of_samples |= {
        "truncated": found.truncated,
        "standard_error": found.standard_error,
        "effective_samples": found.effective_samples,
        "largest_share": found.largest_share,
        "tail_index": found.tail_index,
    }
    of_samples |= {name: None for name, value in of_samples.items() if not math.isfinite(value)}
    if lines := found.warnings():
        metrics["warnings"] = [*metrics.get("warnings", []), *lines]
