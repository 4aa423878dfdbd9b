"""Everything that docs/theory.md shows: what guidance provably does, measured beside the exact numbers.

python -m benchmarks.theory [NAME ...] [--reduced] [--docs docs] [--runs runs/theory]

Runs the experiments (all, or those named), writes their tables into theory.md and their figures beside the other
images of the docs, and tells which numbers came out. The exit code is 1 where one did not. Finished runs of the
portraits are used again.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import matplotlib

from benchmarks.theory import EXPERIMENTS
from benchmarks.theory.findings import put_tables
from dsg.errors import UserError

matplotlib.use("Agg")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--reduced", action="store_true", help="fewer samples and steps, wider tolerances")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where theory.md and images/ are")
    parser.add_argument("--runs", type=Path, default=Path("runs/theory"), help="run folders of the portraits")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in EXPERIMENTS]:
        parser.error(f"no experiment {unknown[0]}; there are {', '.join(EXPERIMENTS)}")
    page = options.docs / "theory.md"
    if not page.is_file():
        parser.error(f"--docs: no theory.md in {options.docs}")
    failed = 0
    for name in options.names or EXPERIMENTS:
        started = time.perf_counter()
        try:
            findings = EXPERIMENTS[name](options.reduced, options.runs)
        except UserError as error:
            print(f"error: {name}: {error}", file=sys.stderr)
            return 2
        for missing in put_tables(page, findings.tables):
            print(f"warning: {page} has no place for the table {missing}", file=sys.stderr)
        (options.docs / "images").mkdir(exist_ok=True)
        for figure, draw in {name: findings.draw, **findings.further}.items():
            if draw is not None:
                draw().savefig(options.docs / "images" / f"theory_{figure}.png", dpi=90)
        print(f"{name}: {time.perf_counter() - started:.0f} s")
        for check in findings.checks:
            print(f"  {check}")
        failed += sum(not check.holds for check in findings.checks)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
