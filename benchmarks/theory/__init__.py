"""What guidance provably does: one file an experiment; `python -m benchmarks.theory` runs them."""

from benchmarks.theory import bias, confidence, general, identity, pair, portraits, sphere, support

EXPERIMENTS = {
    "pair": pair.run,
    "identity": identity.run,
    "general": general.run,
    "portraits": portraits.run,
    "bias": bias.run,
    "confidence": confidence.run,
    "support": support.run,
    "sphere": sphere.run,
}
