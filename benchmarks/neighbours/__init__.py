"""What the neighbours of the theorem say: one file an experiment; `python -m benchmarks.neighbours` runs them."""

from benchmarks.experiments.command import Experiment
from benchmarks.neighbours import masked

EXPERIMENTS: dict[str, Experiment] = {
    "masked": masked.run,
}
