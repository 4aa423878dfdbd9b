"""TensorBoard keeps everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from callbacks.loggers.base import Sink
from dsg.command.private_interfaces import add_summary


class TensorBoardSink(Sink):
    """A run's event file: curves, pictures, distributions, charts with bands, the settings as text and HParams."""

    def __init__(self, writer: SummaryWriter) -> None:
        self._writer = writer

    def scalar(self, tag: str, value: float, step: int) -> None:
        self._writer.add_scalar(tag, value, step)

    def image(self, tag: str, pixels: Tensor, step: int) -> None:
        self._writer.add_image(tag, pixels, step)

    def histogram(self, tag: str, values: np.ndarray, step: int, bins: int) -> None:
        # bins of equal width: those that TensorBoard's writer takes by itself grow by 10 % each, 3 dB at 30 dB
        self._writer.add_histogram(tag, values, step, bins=bins)  # type: ignore[arg-type]

    def charts(self, title: str, charts: Mapping[str, Sequence[str]]) -> None:
        drawn = {chart: ["Margin", list(tags)] for chart, tags in charts.items()}
        # TensorBoard draws them from the last to the first
        self._writer.add_custom_scalars({title: dict(reversed(drawn.items()))})

    def settings(self, text: str, columns: Mapping[str, Any], first: bool) -> None:
        if first:
            self._writer.add_text("config", f"```yaml\n{text}\n```")
        # no list of columns with their metrics: TensorBoard would take one run's for all, and offer no values to choose
        _, started, _ = hparams(dict(columns), {})
        add_summary(self._writer, started)

    def ended(self) -> None:
        _, _, ended = hparams({}, {})
        add_summary(self._writer, ended)
