"""The trace of many samples: at each step a mean and a band."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from dsg.trace import StepRecord
from dsg.types import PerSample

MEASURES = {
    "loss": "L(x̂, y)",
    "gradient_norm": "‖∇L‖₂",
    "shell_ratio": "‖x_prev − μ‖ / (√n σ)",
    "cosine": "cos(x_prev − μ, −∇L)",
}
KINDS = ("mean", "p10", "p90")


class Bands:
    """Collects the measures of every step, and writes them as `trace/<measure>/{mean,p10,p90}` against the step.

    The last step has no noise, hence no shell, and no direction that guidance would have chosen.
    """

    def __init__(self) -> None:
        self._steps: dict[int, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))

    def add(self, record: StepRecord) -> None:
        """One step of a batch."""
        for name in MEASURES:
            if record.step.index == 0 and name in ("shell_ratio", "cosine"):
                continue
            values: PerSample | None = getattr(record, name)
            if values is not None:
                self._steps[record.step.position][name].append(values.detach())

    def write(self, writer: SummaryWriter) -> None:
        """Tell what is collected, if anything is."""
        for position, measures in sorted(self._steps.items()):
            for name, values in measures.items():
                finite = torch.cat(values).float()
                finite = finite[finite.isfinite()]
                if len(finite):
                    low, high = torch.quantile(finite, torch.tensor([0.1, 0.9], device=finite.device)).tolist()
                    for kind, value in zip(KINDS, (finite.mean().item(), low, high), strict=True):
                        writer.add_scalar(f"trace/{name}/{kind}", value, position)
        charts = {title: ["Margin", [f"trace/{name}/{kind}" for kind in KINDS]] for name, title in MEASURES.items()}
        writer.add_custom_scalars({"trace (mean, 10-90 %) against the step": charts})


def has_trace(folder: Path) -> bool:
    """Whether an earlier start told its trace to the event files in `folder`: a second one would double back on it."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 1, "images": 1, "histograms": 1, "tensors": 1})
    return any(tag.startswith("trace/") for tag in events.Reload().Tags()["scalars"])
