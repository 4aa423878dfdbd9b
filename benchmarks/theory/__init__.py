"""What guidance provably does: one file an experiment; `python -m benchmarks.theory` runs them."""

from benchmarks.theory import bias, confidence, pair, support

EXPERIMENTS = {"pair": pair.run}
EXPERIMENTS["bias"] = bias.run
EXPERIMENTS["confidence"] = confidence.run
EXPERIMENTS["support"] = support.run
