"""What the neighbours of the theorem say: one file an experiment; `python -m benchmarks.neighbours` runs them."""

from benchmarks.experiments.command import Experiment
from benchmarks.neighbours import calibration, mismatch, splitting

EXPERIMENTS: dict[str, Experiment] = {
    "calibration": calibration.run,
    "mismatch": mismatch.run,
    "splitting": splitting.run,
}
