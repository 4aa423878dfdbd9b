"""Control against quality, over the strengths of methods: the picture in which guidance shows its price.

python -m benchmarks.trade_off RUNS... [--control judge_mean_iou] [--quality fd_portraits] [--out runs/trade_off]

RUNS are finished run folders, or folders that hold some, such as the `runs` or `tuning` of a comparison. Writes
trade_off.png, a panel a task and a line a method through its strengths, and trade_off.csv, the numbers in it. Control
is the first score that a judge tells, or else the task; each run needs --distribution.features for quality.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from callbacks.loggers.hparams import columns
from dsg.command.exit_codes import explain
from dsg.comparison.results import read_results
from dsg.comparison.trade_off import Point, trade_off
from dsg.errors import UserError
from dsg.metrics.direction import GAP, SCORES
from dsg.metrics.results import Results
from dsg.report.labels import at, method, task, where_they_differ
from dsg.run_folder.atomic import write_atomically
from dsg.run_folder.folder import METRICS, RunFolder
from dsg.run_folder.settings import SettingsFile

FIELDS = ("task", "method", "strength", "control", "mean", "low", "high", "n", "quality", "value")


def runs_below(folders: Sequence[Path]) -> list[Path]:
    """Every finished run folder, sorted within each of `folders`."""
    found = [file.parent for folder in folders for file in sorted(folder.rglob(METRICS))]
    found = [run for run in found if RunFolder(run).is_finished()]
    if not found:
        raise UserError(f"trade_off: no finished run in {', '.join(map(str, folders))}; give run folders of `predict`")
    return list(dict.fromkeys(found))


def points_of(runs: Sequence[Path], control: str | None, quality: str) -> list[Point]:
    """A point a run.

    Args:
        runs: finished run folders.
        control: a column of each; None takes the first score that a judge tells, or else the task.
        quality: a metric of all samples together.

    Raises:
        UserError: for a run without one of the two, naming those that it has.
    """
    every = [SettingsFile(run).read() or {} for run in runs]
    names = _names(every)
    points = []
    for run, settings, name in zip(runs, every, names, strict=True):
        results, what = read_results(run), columns(settings)
        chosen = control or _first_score(results)
        for metric in (chosen, quality):
            if metric is None or not results.has(metric):
                has = ", ".join(sorted({*results.images, *results.overall}))
                raise UserError(f"trade_off: {run} has no {metric or 'score'}; it has {has}")
        strength = None if what["strength_of"] == "none" else float(what["strength"])
        controlled = results.interval(str(chosen))
        points.append(
            Point(task(settings), name, strength, str(chosen), controlled, quality, results.mean(quality))
        )  # fmt: skip
    return points


def _first_score(results: Results) -> str | None:
    scores = [name for name in results.images if name.endswith(SCORES) and not name.startswith(GAP)]
    return min(scores, key=lambda name: not name.startswith("judge_"), default=None)


def _names(every: Sequence[dict]) -> list[str]:
    """The method of each run; where several options go by one name, with those that are not its strength."""
    kept = [_without_strength(settings) for settings in every]
    names = []
    for settings, own in zip(every, kept, strict=True):
        alike = [other for other, others in zip(kept, every, strict=True) if method(others) == method(settings)]
        extra = [f"{key.rsplit('.', 1)[-1]}={values[alike.index(own)]}" for key, values in
                 where_they_differ(alike).items()]  # fmt: skip
        names.append(", ".join([method(settings), *extra]))
    return names


def _without_strength(settings: dict) -> dict:
    """What makes a method, but for its strength."""
    options = dict(at(settings, "model.guidance.init_args") or {})
    options.pop(str(columns(settings)["strength_of"]), None)
    return {"guidance": options, "combiner": at(settings, "model.combiner"), "steps": at(settings, "model.steps")}


def as_csv(points: Sequence[Point]) -> bytes:
    """trade_off.csv."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(FIELDS)
    for p in points:
        i = p.controlled
        strength = "" if p.strength is None else p.strength
        writer.writerow([p.task, p.method, strength, p.control, i.mean, i.low, i.high, i.n, p.quality, p.value])
    return table.getvalue().encode()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS")
    parser.add_argument("--control", help="what was asked, as a column of per_image.csv")
    parser.add_argument("--quality", default="fd_portraits", help="a metric of all samples together")
    parser.add_argument("--out", type=Path, default=Path("runs/trade_off"))
    options = parser.parse_args(arguments)
    try:
        points = points_of(runs_below(options.runs), options.control, options.quality)
        for name, content in (("trade_off.png", trade_off(points)), ("trade_off.csv", as_csv(points))):
            write_atomically(options.out / name, content)
            print(options.out / name)
    except UserError as error:
        code, message = explain(error)
        print(message, file=sys.stderr)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
