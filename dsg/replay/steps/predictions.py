"""Recorded predictions: of the prior itself, and of what combines several into one."""

from __future__ import annotations

from dsg.replay.steps.read import COMMON, RecordedStep
from dsg.replay.steps.recorded import levels, prior, step_of
from dsg.replay.steps.replayed import Replayed, Table


def common(record: RecordedStep) -> Replayed:
    """ε and x̂ of the prior."""
    model = prior(record.common)
    prediction = model(record["x_t"], step_of(record, levels(model)))
    return Replayed("GaussianMixture", {"eps": prediction.epsilon, "x0_hat": prediction.clean_estimate})


PREDICTIONS: Table = {COMMON: common}
