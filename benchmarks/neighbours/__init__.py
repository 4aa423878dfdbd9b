"""What the neighbours of the theorem say: one file an experiment; `python -m benchmarks.neighbours` runs them."""

from benchmarks.experiments.command import Experiment
from benchmarks.neighbours import discriminator, switching

EXPERIMENTS: dict[str, Experiment] = {
    "discriminator": discriminator.run,
    "switching": switching.run,
}
