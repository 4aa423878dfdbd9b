"""Any other logger of Lightning, by its public calls: CSV files, Weights & Biases, MLflow, Comet, one's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lightning.pytorch.loggers import Logger
from torch import Tensor

from callbacks.loggers.base import Sink
from dsg import yaml_text


class LoggerSink(Sink):
    """Curves by `log_metrics`, settings by `log_hyperparams`, pictures by `log_image` where the logger has it.

    A distribution is told by its quartiles, as `<tag>/25`, `/50` and `/75`. Charts that put curves together are made in
    the logger's own pages, of the curves that are there.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._log_image = getattr(logger, "log_image", None)
        self._left_out = False

    def scalar(self, tag: str, value: float, step: int) -> None:
        self._logger.log_metrics({tag: value}, step)

    def image(self, tag: str, pixels: Tensor, step: int) -> None:
        if self._log_image is not None:
            self._log_image(tag, [pixels.permute(1, 2, 0).cpu().numpy()], step)
        elif not self._left_out:
            self._left_out = True
            print(f"not logged: pictures, since {type(self._logger).__name__} takes none", file=sys.stderr)

    def histogram(self, tag: str, values: np.ndarray, step: int, bins: int) -> None:
        quarters = (25, 50, 75)
        for quarter, value in zip(quarters, np.percentile(values, quarters).tolist(), strict=True):
            self.scalar(f"{tag}/{quarter}", value, step)

    def charts(self, title: str, charts: Mapping[str, Sequence[str]]) -> None: ...

    def settings(self, text: str, columns: Mapping[str, Any], first: bool) -> None:
        self._logger.log_hyperparams({**columns, "config": yaml_text.load(text)})

    def ended(self) -> None:
        self._logger.save()
