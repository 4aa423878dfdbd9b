"""The command line as processes of its own, several to a run, and what they leave."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BOUND = 180.0
"""Seconds after which a test takes a run for hung."""


def command(settings: Path, run: Path, *options: object, ranks: int = 1) -> list[str]:
    """`predict` into `run` on so many processes."""
    several = ("--trainer.devices", ranks, "--trainer.strategy", "ddp") if ranks > 1 else ()
    arguments = ("train_free_eval.py", "predict", "--config", settings, "--run_dir", run, *options, *several)
    return [sys.executable, *map(str, arguments)]


def begin(arguments: list[str]) -> subprocess.Popen[str]:
    """The pipe of its stderr is open as long as any process of the run is there: `communicate` waits for all."""
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def complete(arguments: list[str]) -> None:
    process = begin(arguments)
    try:
        _, stderr = process.communicate(timeout=BOUND)
    finally:
        process.kill()
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr


def journal(run: Path) -> list[dict]:
    """The rows that are whole."""
    lines = [line for file in run.glob("rows/rank*.jsonl") for line in file.read_text().split("\n")[:-1]]
    return [json.loads(line) for line in lines]


def wait_for_rows(run: Path, count: int) -> None:
    deadline = time.monotonic() + BOUND
    while len(journal(run)) < count:
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Process ids of the ranks that the process `pid` has started."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in table.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == pid and "train_free_eval" in row[-1]]


def results(run: Path) -> tuple[list[dict[str, str]], dict[str, bytes], dict]:
    """Rows, pictures and metrics, without what no clock and no other number of starts repeats."""
    with (run / "per_image.csv").open(newline="") as handle:
        rows = [{name: value for name, value in row.items() if _repeats(name)} for row in csv.DictReader(handle)]
    found = json.loads((run / "metrics.json").read_text())
    del found["timing"], found["provenance"]
    found["metrics"] = {name: value for name, value in found["metrics"].items() if _repeats(name)}
    return rows, {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*.png")}, found


def _repeats(name: str) -> bool:
    return "seconds" not in name and name not in ("warm_up", "start")
