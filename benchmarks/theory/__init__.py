"""What guidance provably does: one file an experiment; `python -m benchmarks.theory` runs them."""

from benchmarks.theory import bias, pair

EXPERIMENTS = {"pair": pair.run}
EXPERIMENTS["bias"] = bias.run
