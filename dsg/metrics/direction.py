"""Which values of a metric are better: the larger, the smaller, or those nearer to a right value."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

MORE_OF_IT, LESS_OF_IT = ("similarity", "accuracy", "score", "iou"), ("error", "distance")
SCORES = tuple(f"_{ending}" for ending in (*MORE_OF_IT, *LESS_OF_IT))
"""Endings of what a task, or a judge of it, tells of finished samples."""
GAP = "gap_"
"""What the guide tells minus what the judge does."""
LARGER_IS_BETTER = re.compile(
    r"(psnr|ssim|judge_probability|judge_log_probability|judge_correct)(_\w+)?|"  # perhaps of a group
    rf"(precision|recall)_\w+|\w*_({'|'.join(MORE_OF_IT)})(_\w+)?"
)
SMALLER_IS_BETTER = re.compile(
    r"(lpips|crps|sliced_wasserstein|fid|kid|fd|kd|seconds|nfe_|judge_reciprocal|worse_than_twin)\w*|"
    rf"\w*_({'|'.join(LESS_OF_IT)})(_\w+)?"
)
RIGHT_VALUES = {"residual": 1.0, "spread_ratio": 1.0, "first_step_use": 1.0, "coverage_pixel_minus_nominal": 0.0}
"""Metrics that are best at a value; the residual ‖y − A x̂‖/(σ_y √m) is 1 where what is left is noise."""
NEITHER_IS_BETTER = re.compile(rf"(std|diversity)_\w+|coverage_pixel|judge_confidence(_\w+)?|{GAP}\w+_distance(_\w+)?")
"""Metrics of which nobody can say: less spread is consistent, or it is over-confident; a sure judge may be wrong; and
distances between features, guide's and judge's, are each in a unit of its network.
"""


@dataclass(frozen=True)
class Direction:
    """What is better of a metric.

    Args:
        sign: 1 if more is better, −1 if less is, 0 if that is not known.
        target: the right value, if the metric has one; what is compared is then the distance to it, and `sign` is −1.
    """

    sign: int = 0
    target: float | None = None

    @property
    def arrow(self) -> str:
        """`↑`, `↓`, `→ 1`, or nothing."""
        return f"→ {self.target:g}" if self.target is not None else ("", "↑", "↓")[self.sign]

    def compared(self, values: np.ndarray) -> np.ndarray:
        """What is compared of `values`: themselves, or |value − target|."""
        return values if self.target is None else np.abs(values - self.target)

    def compared_name(self, metric: str) -> str:
        """What `compared` is called."""
        if self.target is None:
            return metric
        return f"|{metric} − {self.target:g}|" if self.target else f"|{metric}|"

    def is_worst(self, value: float) -> bool:
        """Whether `value` is as bad as a sample can be: NaN, or infinite and not on the better side."""
        if np.isfinite(value):
            return False
        return bool(np.isnan(value)) or self.target is not None or np.sign(value) != self.sign


MORE, LESS, UNKNOWN = Direction(1), Direction(-1), Direction()


def has_no_direction(metric: str) -> bool:
    """Whether neither more nor less of `metric` is better, so that it is shown without a verdict."""
    return metric == "loss" or NEITHER_IS_BETTER.fullmatch(metric) is not None


def direction_of(metric: str, noisy: bool = True) -> Direction:
    """The direction of a metric by its name.

    Args:
        metric: a column of per_image.csv, also with `_best` or `_worst` of several samples of an image.
        noisy: whether the measurement has noise. A `loss` below the noise's own norm fits the noise, so that less of it
            is better only without.
    """
    name = re.sub("_(best|worst)$", "", metric)
    if NEITHER_IS_BETTER.fullmatch(name):
        return UNKNOWN
    if name.startswith(GAP):
        return Direction(-1, 0.0)
    if of_group := next((known for known in RIGHT_VALUES if name == known or name.startswith(f"{known}_")), None):
        return Direction(-1, RIGHT_VALUES[of_group])
    if LARGER_IS_BETTER.fullmatch(name):
        return MORE
    return LESS if SMALLER_IS_BETTER.fullmatch(name) or (name == "loss" and not noisy) else UNKNOWN
