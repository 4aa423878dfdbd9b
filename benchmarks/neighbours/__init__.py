"""What the neighbours of the theorem say: one file an experiment; `python -m benchmarks.neighbours` runs them."""

from benchmarks.experiments.command import Experiment
from benchmarks.neighbours import mismatch

EXPERIMENTS: dict[str, Experiment] = {
    "mismatch": mismatch.run,
}
