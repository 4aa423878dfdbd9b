"""`bench`: a method through a suite, its submission, and the page with everybody on it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dsg.bench.entrant import Entrant, entrant_from_outside, own_entrants, refuse_other_options
from dsg.bench.suite import Suite, read_suite
from dsg.command.exit_codes import OK
from dsg.command.subcommand import SubcommandParser
from dsg.comparison.check import Check
from dsg.comparison.command import begin
from dsg.comparison.run import Predict
from dsg.errors import UserError
from dsg.run_folder.atomic import write_atomically

if TYPE_CHECKING:
    from dsg.bench.board import Board
    from dsg.bench.standing import Ranked

ROWS = Path(__file__).parent / "rows"
"""The submissions that come with the project: SUITE/NAME.json."""

ABOUT = """\
A fixed suite of comparisons at an equal budget of tuning, and one page of everybody who took part.

  train-free-eval bench --guidance my_module.MyMethod --tune 'step_size=[0.1, 0.3, 1.0]'
  train-free-eval bench page FOLDER... --out DIR       the page again, of any number of people's submissions

Written to OUT_DIR, runs/bench/SUITE/NAME by default:
  bench.html           the page, with the rows that come with the project
  submission.json      what to send: every number of every image, versions, hashes and a seal; no pictures
  CHAPTER/             an ordinary comparison each, with its run folders; the same command continues

docs/bench.md says how to read the page. Options of the method are those of predict: --model.guidance.step_size 0.3
"""
PAGE = """\
The page of submissions. They have to be of one suite: the same version, settings, data and budget. Nothing of them is
executed, and everything is escaped. Those that come with the project join, unless --alone is given.
"""


def bench(arguments: Sequence[str], predict: Predict, check: Check) -> int:
    """Run a suite, or make its page; returns the exit code.

    Args:
        arguments: those behind `bench`.
        predict: the command line, for a run of `predict`.
        check: the same, up to the first sample.

    Raises:
        UserError: for a suite, a method or a submission that cannot be used, before the first sample where it can be.
    """
    if arguments[:1] == ["page"]:
        return _page(arguments[1:])
    options, others = _parser().parse_known_args(list(arguments))
    suite = read_suite(options.suite)
    refuse_other_options(others)
    own = options.all or options.method
    if bool(own) == bool(options.guidance):
        raise UserError("bench: give --guidance my_module.MyMethod, or --method or --all for the suite's own")
    if own and (others or options.tune or options.name or options.link):
        raise UserError("bench: the suite's own methods are tuned as it says; leave their options to --guidance")
    if options.guidance:
        taking = [entrant_from_outside(suite, options.guidance, options.name, options.tune, others, options.link)]
    else:
        taking = own_entrants(suite, options.method)
    name = "all" if options.all else "+".join(entrant.name for entrant in taking)
    out_dir = options.out_dir or Path("runs", "bench", suite.name, name)
    return _take_part(suite, taking, out_dir, options.workers, predict, check)


def _take_part(
    suite: Suite, entrants: list[Entrant], out_dir: Path, workers: int | None, predict: Predict, check: Check
) -> int:
    from dsg.bench.submission import SUBMISSION, make_submission, write_submission
    from dsg.bench.taking_part import TakingPart

    begin(workers)
    _refuse_others(out_dir / SUBMISSION, suite, entrants)
    part = TakingPart(suite, entrants, out_dir)
    part.prepare()
    code = part.run(predict, check, workers)
    write_submission(make_submission(part), out_dir / SUBMISSION)
    print(out_dir / SUBMISSION)
    board = _board([out_dir], alone=False, sealed_by=suite)
    _tell(board, _write_page(board, out_dir), entrants)
    return code


def _refuse_others(file: Path, suite: Suite, entrants: Sequence[Entrant]) -> None:
    """Raise UserError where the folder holds a submission of others, which would be lost."""
    from dsg.bench.submission import read_submission

    if not file.is_file():
        return
    try:
        found, names = read_submission(file, complete=False), [entrant.name for entrant in entrants]
    except UserError:
        return  # damaged, or of an older form: it is made again of the run folders
    if found["suite"]["hash"] != suite.sealed()["hash"] or list(found["methods"]) != names:
        raise UserError(
            f"--out_dir: {file} is a submission of {', '.join(found['methods'])} to the suite {found['suite']['name']} "
            f"{found['suite']['version']}, not of {', '.join(names)} to {suite.name} {suite.version} as it is now; "
            "choose another --out_dir"
        )


def _page(arguments: Sequence[str]) -> int:
    parser = SubcommandParser("bench page", PAGE)
    parser.add_argument("submissions", nargs="+", type=Path, metavar="FOLDER",
                        help="the --out_dir of a bench, or a submission.json")  # fmt: skip
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where bench.html is written")
    parser.add_argument("--alone", action="store_true", help="without the rows that come with the project")
    options = parser.parse_args(list(arguments))
    _write_page(_board(options.submissions, options.alone), options.out)
    return OK


def _board(paths: Sequence[Path], alone: bool, sealed_by: Suite | None = None) -> Board:
    """Of the submissions, and before them of the project's own of that suite, where there are any.

    Args:
        paths: of submissions.
        alone: leave the project's own out.
        sealed_by: the suite that was run just now: of rows that are not of it nothing is said but a line.
    """
    from dsg.bench.board import read_board
    from dsg.bench.submission import read_submission

    first = read_submission(paths[0])
    given = {first["seal"], *(read_submission(path, complete=False)["seal"] for path in paths[1:])}
    every = [] if alone else sorted(ROWS.glob(f"{first['suite']['name']}/*.json"))
    shipped = {file: found for file in every if (found := read_submission(file))["seal"] not in given}
    if sealed_by and any(found["suite"]["hash"] != sealed_by.sealed()["hash"] for found in shipped.values()):
        print("bench: the rows that come with the project are of another version, and not on the page", file=sys.stderr)
        shipped = {}
    return read_board([*shipped, *paths])


def _write_page(board: Board, out: Path) -> list[Ranked]:
    """The page; returns what it says of every task."""
    from dsg.bench.page import html
    from dsg.bench.standing import rank_all

    ranked = rank_all(board)
    write_atomically(out / "bench.html", html(board, ranked).encode())
    print(out / "bench.html")
    return ranked


def _tell(board: Board, ranked: list[Ranked], entrants: Sequence[Entrant]) -> None:
    """Where those who took part just now stand among all."""
    from dsg.bench.standing import overall

    last = list(board.submissions)[-1]
    names = {entrant.name for entrant in entrants}
    for method in (m for m in board.methods if m.submission == last and m.entry["name"] in names):
        found = overall(method.label, ranked)
        print(
            f"{method.label}: place {found.place:.1f} ({found.first:.1f} to {found.last:.1f}) of {len(board.methods)}, "
            f"first or not told from it on {found.leads} of {found.tasks} tasks, fits {found.fits}"
        )


def _parser() -> SubcommandParser:
    parser = SubcommandParser("bench", ABOUT)
    add = parser.add_argument
    add("--suite", default="small", metavar="NAME", help="small (minutes), full (hours), or a file; small by default")
    add("--guidance", metavar="CLASS", help="my_module.MyMethod, or a YAML with model.guidance and perhaps tune")
    add("--name", help="of the row; by default the class's")
    add("--tune", action="append", default=[], metavar="KEY=[VALUES]",
        help="values to choose from, as step_size=[0.1, 0.3]; linear:step_size=[...] for one chapter; may be "
        "repeated")  # fmt: skip
    add("--link", default="", metavar="URL", help="where it is told what the method is")
    add("--method", action="append", default=[], metavar="NAME", help="one of the suite's own methods; may be repeated")
    add("--all", action="store_true", help="all methods of the suite")
    add("--out_dir", type=Path, metavar="DIR", help="new, or one to continue; by default runs/bench/SUITE/NAME")
    add("--workers", type=int, metavar="N", help="processes that sample side by side, as of compare")
    return parser
