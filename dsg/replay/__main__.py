"""Replay recorded runs and print how far each step of ours is from the record.

python -m dsg.replay PATH... [--network DIR] [--tolerance X]

Every step of a trajectory (*.safetensors) is run from the recorded state, with the recorded y, mask and noise and the
network in DIR (without --network: the only unconditional network folder beside it); "free run" shows what rounding adds
up to when the steps follow each other. A folder with model.pt, config.json and forward.safetensors has its network's
outputs compared.

What EDM's own code recorded is told by what it says of itself: folders of a network with its outputs, folders of single
layers, trajectories with their networks beside them, and folders of all these. A row shows the largest deviation beside
the tolerance that the record states.

A file of single steps of a method's own code, with `common.safetensors` beside it, has every step taken again under the
option that is its code's (dsg/replay/steps): a row shows tag, step, deviation and option, or why none is equal. A
folder with `common.safetensors` has all its files compared. Such a step has a tolerance of its own, 1e-9 or that of a
record whose coefficients were float32.

Records of losses that are networks, and of guided steps over them, are told by the names of their files (arcface,
bisenet, sketch, landmark, ...): networks get weights by a rule (dsg/replay/nonlinear/rule.py), names by NETWORK.json
beside the record, or else their own. A row shows the largest deviation in units of the largest recorded number; a
record of a float64 run is compared in float64.

Exit status: 0 every step within the tolerance, 1 some beyond it, 2 an unusable file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dsg.errors import UserError
from dsg.replay.deviations import drift, network_deviations, step_deviations
from dsg.replay.edm.compare import compare as compare_records
from dsg.replay.edm.compare import records_at
from dsg.replay.nonlinear.compare import compare as compare_nonlinear
from dsg.replay.nonlinear.compare import records_at as nonlinear_at
from dsg.replay.record import read_options, read_trajectory
from dsg.replay.steps.compare import compare
from dsg.replay.steps.read import COMMON, holds_steps
from dsg.replay.tables import table, table_of_records, table_of_steps


def main(args: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m dsg.replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="trajectories, single steps, folders")
    parser.add_argument("--network", type=Path, metavar="DIR", help="folder of the network that ran the trajectories")
    parser.add_argument(
        "--tolerance",
        type=float,
        help="largest deviation that passes (default 1e-3; of a single step and of records of EDM, its own)",
    )
    options = parser.parse_args(args)
    passed = True
    for path in [file for given in options.paths for file in _files(given)]:
        try:
            compared, all_pass = _compared(path, options.network, options.tolerance)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        Console().print(compared)
        passed = passed and all_pass
    return 0 if passed else 1


def _files(path: Path) -> list[Path]:
    """The files of a folder of single steps, the records of EDM in a folder; anything else is itself."""
    if (path / f"{COMMON}.safetensors").is_file():
        return sorted(path.glob("*.safetensors"))
    return records_at(path) or nonlinear_at(path) or [path]


def _compared(path: Path, network: Path | None, tolerance: float | None) -> tuple[Table, bool]:
    """The table of a path, and whether all of it is within the tolerance."""
    if path.is_file() and holds_steps(path):
        steps = list(compare(path))
        return table_of_steps(path, steps, tolerance), all(step.passes(tolerance) for step in steps)
    if records_at(path) == [path]:
        records = compare_records(path)
        return table_of_records(path, records, tolerance), all(record.passes(tolerance) for record in records)
    if nonlinear_at(path) == [path]:
        records = compare_nonlinear(path)
        return table_of_records(path, records, tolerance), all(record.passes(tolerance) for record in records)
    rows, tolerance = _rows(path, network), 1e-3 if tolerance is None else tolerance
    # written so that NaN is beyond the tolerance
    return table(path, rows, tolerance), all(deviation <= tolerance for _, deviation, _ in rows)


def _rows(path: Path, network: Path | None) -> list[tuple[int, float, float | None]]:
    """(t, deviation, drift) of each step, or of each recorded output of a network."""
    if path.is_dir():
        return [(t, deviation, None) for t, deviation in network_deviations(path)]
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder")
    trajectory = read_trajectory(path, network or _network_beside(path))
    return [(t, d, f) for (t, d), f in zip(step_deviations(trajectory), drift(trajectory), strict=True)]


def _network_beside(path: Path) -> Path:
    """The only unconditional network beside a trajectory: a record without labels came from such a one."""
    configs = {file.parent: read_options(file.parent) for file in path.parent.glob("*/config.json")}
    folders = [folder for folder, options in configs.items() if not options.get("class_cond")]
    if len(folders) != 1:
        raise UserError(f"{path}: name its network with --network DIR ({len(folders)} unconditional ones beside it)")
    return folders[0]


if __name__ == "__main__":
    sys.exit(main())
