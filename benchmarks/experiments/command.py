"""The command of a page of experiments: run them, put their tables and figures on the page, tell what came out."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib

from benchmarks.experiments.findings import Findings, put_tables
from dsg.errors import UserError

matplotlib.use("Agg")

Experiment = Callable[[bool, Path], Findings]
"""(reduced: fewer samples and steps, folder of run folders) → findings."""


def main(about: str, topic: str, experiments: Mapping[str, Experiment], arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 1 where a number did not come out, 2 where an experiment could not be run.

    Args:
        about: the command's help.
        topic: the page is <topic>.md, and its figures are images/<topic>_<experiment>.png.
        experiments: by name.
        arguments: of the command line.
    """
    parser = argparse.ArgumentParser(
        f"python -m benchmarks.{topic}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(experiments)}")
    parser.add_argument("--reduced", action="store_true", help="fewer samples and steps, wider tolerances")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help=f"where {topic}.md and images/ are")
    parser.add_argument("--runs", type=Path, default=Path("runs") / topic, help="run folders of the portraits")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in experiments]:
        parser.error(f"no experiment {unknown[0]}; there are {', '.join(experiments)}")
    page = options.docs / f"{topic}.md"
    if not page.is_file():
        parser.error(f"--docs: no {topic}.md in {options.docs}")
    failed = 0
    for name in options.names or experiments:
        started = time.perf_counter()
        try:
            findings = experiments[name](options.reduced, options.runs)
        except UserError as error:
            print(f"error: {name}: {error}", file=sys.stderr)
            return 2
        for missing in put_tables(page, findings.tables):
            print(f"warning: {page} has no place for the table {missing}", file=sys.stderr)
        (options.docs / "images").mkdir(exist_ok=True)
        for figure, draw in {name: findings.draw, **findings.further}.items():
            if draw is not None:
                draw().savefig(options.docs / "images" / f"{topic}_{figure}.png", dpi=90)
        print(f"{name}: {time.perf_counter() - started:.0f} s")
        for check in findings.checks:
            print(f"  {check}")
        failed += sum(not check.holds for check in findings.checks)
    return 1 if failed else 0
