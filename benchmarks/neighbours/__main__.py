"""Everything that docs/neighbours.md shows: what the works around guidance theory claim, measured beside exact numbers.

python -m benchmarks.neighbours [NAME ...] [--reduced] [--docs docs] [--runs runs/neighbours]

Runs the experiments (all, or those named), writes their tables into neighbours.md and their figures beside the other
images of the docs, and tells which numbers came out. The exit code is 1 where one did not. Finished runs of the
portraits are used again.
"""

import sys

from benchmarks.experiments.command import main
from benchmarks.neighbours import EXPERIMENTS

if __name__ == "__main__":
    sys.exit(main(__doc__ or "", "neighbours", EXPERIMENTS))
