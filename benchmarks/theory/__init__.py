"""What guidance provably does: one file an experiment; `python -m benchmarks.theory` runs them."""

from benchmarks.theory import general, pair, portraits

EXPERIMENTS = {
    "pair": pair.run,
    "general": general.run,
    "portraits": portraits.run,
}
