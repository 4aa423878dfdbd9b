"""What the neighbours of the theorem say: one file an experiment; `python -m benchmarks.neighbours` runs them."""

from benchmarks.experiments.command import Experiment
from benchmarks.neighbours import worst_case

EXPERIMENTS: dict[str, Experiment] = {
    "worst_case": worst_case.run,
}
