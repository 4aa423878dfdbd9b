"""What guidance provably does: one file an experiment; `python -m benchmarks.theory` runs them."""

from benchmarks.theory import bias, confidence, identity, pair, sphere, support

EXPERIMENTS = {
    "pair": pair.run,
    "identity": identity.run,
    "bias": bias.run,
    "confidence": confidence.run,
    "support": support.run,
    "sphere": sphere.run,
}
