"""What guidance provably does: one file an experiment; `python -m benchmarks.theory` runs them."""

from benchmarks.theory import identity, pair, sphere

EXPERIMENTS = {
    "pair": pair.run,
    "identity": identity.run,
    "sphere": sphere.run,
}
