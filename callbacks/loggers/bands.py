"""The trace of many samples: at each step a mean and a band."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from callbacks.loggers.base import Sink
from dsg.process import GradientKind, Record, StepRecord
from dsg.run_folder.trace_file import Curve, Trace
from dsg.types import PerSample

GRADIENTS: dict[GradientKind, tuple[str, str]] = {
    "loss": ("gradient_norm", "gradient norm ‖∇L(x̂(x_t))‖, through the network"),
    "smoothed_loss": ("gradient_norm_smoothed", "gradient norm of L averaged around x̂, through the network"),
    "glued_loss": ("gradient_norm_glued", "gradient norm of L and of the gluing term, through the network"),
    "clean_loss": ("gradient_norm_clean", "gradient norm ‖∇L(x̂)‖ in clean space"),
    "squared_loss": ("gradient_norm_squared", "gradient norm ‖∇½L²(x)‖ in clean space"),
    "likelihood": ("gradient_norm_likelihood", "gradient norm ‖∇ log p(y | x_t)‖"),
    "classifier": ("gradient_norm_classifier", "gradient norm ‖∇ log p(c | x_t)‖"),
    "discriminator": ("gradient_norm_discriminator", "gradient norm ‖∇ log d(x_t)/(1 − d(x_t))‖"),
}
"""Tag and title of a gradient's norm: norms of different things stand on different charts."""
KINDS = ("mean", "p10", "p90")
QUANTILES = (10, 50, 90)


class Bands:
    """Collects the measures of every step.

    Args:
        samples: how many are taken, at least 1; those that come later are not.
    """

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._taken = 0
        self._gradient: GradientKind = "loss"
        self._measures: Mapping[str, str] = {}  # those of the process that is watched
        # one block, because small tensors that stay between the large ones that go would keep the latter's memory
        self._values: Tensor | None = None  # (measures, steps, samples); NaN where there is none

    @property
    def full(self) -> bool:
        """Whether it has all that it takes."""
        return self._taken >= self._samples

    def add(self, record: Record) -> None:
        """One step of a batch."""
        if self._values is None:
            self._measures = record.measures
            shape = (len(self._measures), record.step.total, self._samples)
            self._values = torch.full(shape, torch.nan, dtype=torch.float32, device=record.x_prev.device)
        if isinstance(record, StepRecord) and record.gradient is not None:
            self._gradient = record.gradient_kind
        last, end = record.step.is_last, min(self._taken + len(record.x_prev), self._samples)
        for i, name in enumerate(self._measures):
            if last and name in record.before_the_end:
                continue
            values: PerSample | None = getattr(record, name)
            if values is not None:
                self._values[i, record.step.position, self._taken : end] = values.detach()[: end - self._taken]
        if last:
            self._taken = end

    def trace(self) -> Trace | None:
        """What is collected, at each step over the samples that have a finite value; None while no batch has ended."""
        if self._values is None or not self._taken:
            return None
        titles = dict(
            GRADIENTS[self._gradient] if name == "gradient_norm" else (name, title)
            for name, title in self._measures.items()
        )
        values = self._values[..., : self._taken].cpu().double().numpy()  # without a batch that was interrupted
        samples = int(np.isfinite(values).any((0, 1)).sum())
        curves = {name: _curve(title, of) for (name, title), of in zip(titles.items(), values, strict=True)}
        return Trace(samples, {name: curve for name, curve in curves.items() if any(v is not None for v in curve.p50)})


def tell(trace: Trace, sink: Sink) -> None:
    """`trace/<measure>/{mean,p10,p90}` against the step, and a chart of each measure."""
    charts = {}
    for name, curve in trace.measures.items():
        charts[curve.title] = [f"trace/{name}/{kind}" for kind in KINDS]
        for kind, tag in zip(KINDS, charts[curve.title], strict=True):
            for position, value in enumerate(getattr(curve, kind)):
                if value is not None:
                    sink.scalar(tag, value, position)
    sink.charts("trace against the step: mean, and band from 10 % to 90 % of the samples", charts)


def _curve(title: str, values: np.ndarray) -> Curve:
    """Of values (steps, samples), NaN where there is none."""
    columns: list[tuple[float | None, ...]] = []
    for of_step in values:
        finite = of_step[np.isfinite(of_step)]
        found = (finite.mean(), *np.percentile(finite, QUANTILES)) if len(finite) else (None,) * 4
        columns.append(tuple(None if value is None else float(f"{value:.7g}") for value in found))
    return Curve(title, *([row[i] for row in columns] for i in range(4)))
