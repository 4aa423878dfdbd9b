"""`report`: from run folders to report.html and report.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dsg.command.exit_codes import OK
from dsg.command.subcommand import SubcommandParser
from dsg.run_folder.atomic import write_atomically

ABOUT = """\
One page about one or more run folders: a table with intervals and paired differences, distributions, quality against
cost, the best, median and worst images, failures, and the settings. docs/report.md says how to read it.

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
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write; by default the first run folder")
    return parser


def report(arguments: Sequence[str]) -> int:
    """Write the report; returns the exit code.

    Raises:
        UserError: for a folder that is no run folder or cannot be read, and where the report cannot be written.
    """
    options = _parser().parse_args(list(arguments))
    from dsg.report.page import html, markdown  # matplotlib and pictures, after the first mistakes are found
    from dsg.report.read import read_runs

    runs = read_runs(options.runs, options.trust)
    out = options.out or options.runs[0]
    for name, content in (("report.html", html(runs)), ("report.md", markdown(runs))):
        write_atomically(out / name, content.encode())
        print(out / name)
    return OK
