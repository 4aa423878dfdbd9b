"""Which metrics a run may have, as far as its callbacks say: what nothing measures is found before the first sample."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from callbacks.base import EvaluationCallback
from dsg.metrics.direction import LESS_OF_IT, MORE_OF_IT
from dsg.metrics.of_samples import of_one_sample
from tasks.base import Task

OF_EVERY_RUN = r"loss|residual|seconds|nfe_\w+"
TOLD = rf"\w+_({'|'.join((*MORE_OF_IT, *LESS_OF_IT))})"
"""What a task tells of finished samples (`tasks.base.Task.scores`)."""


def not_measured(metrics: Iterable[str], callbacks: Sequence[EvaluationCallback], task: Task) -> str | None:
    """The first of `metrics` that nothing in a run measures; None if there is none, or a callback does not say."""
    patterns = [OF_EVERY_RUN]
    if type(task).scores is not Task.scores:
        patterns.append(TOLD)
    for callback in callbacks:
        if callback.metrics is None:
            return None
        patterns.append(callback.metrics)
    known = re.compile("|".join(f"({pattern})" for pattern in patterns))
    return next((name for name in metrics if not known.fullmatch(of_one_sample(name))), None)
