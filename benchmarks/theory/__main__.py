"""Everything that docs/theory.md shows: what guidance provably does, measured beside the exact numbers.

python -m benchmarks.theory [NAME ...] [--reduced] [--docs docs] [--runs runs/theory]

Runs the experiments (all, or those named), writes their tables into theory.md and their figures beside the other
images of the docs, and tells which numbers came out. The exit code is 1 where one did not. Finished runs of the
portraits are used again.
"""

import sys

from benchmarks.experiments.command import main
from benchmarks.theory import EXPERIMENTS

if __name__ == "__main__":
    sys.exit(main(__doc__ or "", "theory", EXPERIMENTS))
