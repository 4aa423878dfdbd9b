"""Replay recorded runs and print how far each step of ours is from the record.

python -m dsg.replay PATH... [--network DIR] [--tolerance 1e-3]

Every step of a trajectory (*.safetensors) is run from the recorded state, with the recorded y, mask and noise and the
network in DIR (without --network: the only unconditional network folder beside it); "free run" shows what rounding adds
up to when the steps follow each other. A folder with model.pt, config.json and forward.safetensors has its network's
outputs compared. Exit status: 0 every step within the tolerance, 1 some beyond it, 2 an unusable file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dsg.errors import UserError
from dsg.replay.deviations import drift, network_deviations, step_deviations
from dsg.replay.record import read_options, read_trajectory


def main(args: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m dsg.replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="trajectories and network folders")
    parser.add_argument("--network", type=Path, metavar="DIR", help="folder of the network that ran the trajectories")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="largest deviation that passes (default 1e-3)")
    options = parser.parse_args(args)
    passed = True
    for path in options.paths:
        try:
            rows = _rows(path, options.network)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        Console().print(_table(path, rows, options.tolerance))
        # written so that NaN is beyond the tolerance
        passed = passed and all(deviation <= options.tolerance for _, deviation, _ in rows)
    return 0 if passed else 1


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


def _table(path: Path, rows: list[tuple[int, float, float | None]], tolerance: float) -> Table:
    table = Table(title=str(path), title_justify="left", title_style="bold", min_width=len(str(path)))
    for heading in ("t", "largest deviation", "free run"):
        table.add_column(heading, justify="right")
    for t, deviation, free in rows:
        mark = "" if deviation <= tolerance else " !"
        table.add_row(str(t), f"{deviation:.2e}{mark}", "" if free is None else f"{free:.2e}")
    return table


if __name__ == "__main__":
    sys.exit(main())
