"""What guidance provably does: one file an experiment; `python -m benchmarks.theory` runs them."""

from benchmarks.theory import pair

EXPERIMENTS = {"pair": pair.run}
