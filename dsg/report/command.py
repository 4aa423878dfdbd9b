"""`report`: from run folders to report.html and report.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsg.command.exit_codes import OK
from dsg.command.subcommand import SubcommandParser
from dsg.errors import UserError
from dsg.run_folder.atomic import write_atomically

ABOUT = """\
One page about one or more run folders: which method, at what cost, and why; what happened along the trajectories; the
same images under all runs; tables with intervals and paired differences, distributions, the worst case over cells of
the images, quality against cost, failures, and the settings.
docs/report.md says how to read it.

  report.html  everything, in one file that needs no network
  report.md    its tables
"""


def _parser() -> SubcommandParser:
    parser = SubcommandParser("report", ABOUT)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR",
                        help="run folders of `predict`; the others are compared with the first")  # fmt: skip
    parser.add_argument("--trust", action="append", default=[], metavar="MODULE",
                        help="a module or class of your own that run folders may name, to read the truth with; none "
                        "but the library's is imported otherwise")  # fmt: skip
    parser.add_argument("--cells", action="append", default=[], metavar="COLUMN",
                        help="what divides the images into cells, over which the worst case is taken: `label`, a trait "
                        "of the portraits, a column of the metadata or of per_image.csv, `folder`, or several together "
                        "as hat+beard; may be repeated. By default `label`, where the data knows it")  # fmt: skip
    parser.add_argument("--gamma", type=float, metavar="NATS",
                        help="how far from uniform the mixture of cells may be, in the tables: from 0, the mean of the "
                        "cells, to log m, the worst of m cells; by default 1, or log m where that is less")  # fmt: skip
    parser.add_argument("--image", action="append", default=[], metavar="ID",
                        help="an image that is to be shown under all runs, besides those that the page chooses; may be "
                        "repeated")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write; by default the first run folder")
    return parser


def report(arguments: Sequence[str]) -> int:
    """Write the report; returns the exit code.

    Raises:
        UserError: for a folder that is no run folder or cannot be read, for cells that cannot be made or a γ beyond
            them, and where the report cannot be written.
    """
    options = _parser().parse_args(list(arguments))
    if options.gamma is not None and not options.gamma >= 0:
        raise UserError(
            f"--gamma: must be between 0, the mean of the cells, and log m of m cells; got {options.gamma:g}"
        )
    from dsg.report.cells import divisions
    from dsg.report.page import html, markdown  # matplotlib and pictures, after the first mistakes are found
    from dsg.report.read import read_runs
    from dsg.report.side_by_side import side_by_side
    from dsg.report.worst_case import worst_case

    runs = read_runs(options.runs, options.trust)
    worst = [worst_case(runs, division) for division in divisions(runs, options.cells, options.gamma, options.trust)]
    out = options.out or options.runs[0]
    page = html(runs, worst, side_by_side(runs, options.image), out)
    for name, content in (("report.html", page), ("report.md", markdown(runs, worst))):
        write_atomically(out / name, content.encode())
        print(out / name)
    return OK
