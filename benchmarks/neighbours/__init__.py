"""What the neighbours of the theorem say: one file an experiment; `python -m benchmarks.neighbours` runs them."""

from benchmarks.experiments.command import Experiment
from benchmarks.neighbours import class_balance, consistency, worst_case

EXPERIMENTS: dict[str, Experiment] = {
    "class_balance": class_balance.run,
    "consistency": consistency.run,
    "worst_case": worst_case.run,
}
