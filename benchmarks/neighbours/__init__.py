"""What the neighbours of the theorem say: one file an experiment; `python -m benchmarks.neighbours` runs them."""

from benchmarks.experiments.command import Experiment
from benchmarks.neighbours import (
    calibration,
    class_balance,
    consistency,
    discriminator,
    masked,
    mismatch,
    splitting,
    switching,
    worst_case,
)

EXPERIMENTS: dict[str, Experiment] = {
    "calibration": calibration.run,
    "class_balance": class_balance.run,
    "consistency": consistency.run,
    "discriminator": discriminator.run,
    "masked": masked.run,
    "mismatch": mismatch.run,
    "splitting": splitting.run,
    "switching": switching.run,
    "worst_case": worst_case.run,
}
