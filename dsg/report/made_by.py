"""The tables of what made the runs: code, versions, weights and machine of every start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dsg.report.evaluated_run import EvaluatedRun
from dsg.report.labels import at
from dsg.report.table import NONE, Cell, Table, number
from dsg.run_folder.provenance import differences, facts, short

HEADER = ["run", "start", "time", "samples", "code", "versions", "device", "weights", "peak memory, MiB", "folder"]


def made_by(runs: Sequence[EvaluatedRun]) -> Table:
    """A row a start; of samples of before starts were recorded, what the head of config.yaml says."""
    rows = []
    for i, run in enumerate(runs):
        ends = [number(run.timing.get("peak_memory_mib"), ".0f"), Cell(str(run.folder.path))]
        samples = Counter(str(row.get("start")) for row in run.rows)
        for start in run.results.starts:
            made = number(samples[str(start["start"])])
            time, code, versions, device, weights = map(Cell, _start_in_words(start))
            rows.append(
                [Cell(run.name, run=i), number(start["start"]), time, made, code, versions, device, weights, *ends]
            )
        if run.results.unrecorded or not run.results.starts:
            code, versions, device = map(Cell, _head_in_words(run.head))
            made = number(run.results.unrecorded)
            rows.append(
                [Cell(run.name, run=i), Cell(NONE), Cell(NONE), made, code, versions, device, Cell(NONE), *ends]
            )
    return Table("Made by", HEADER, rows)


def made_differently(runs: Sequence[EvaluatedRun]) -> Table:
    """Only what is not the same in all runs."""
    keys = differences([start for run in runs for start in run.results.starts])
    rows = [[Cell(key), *(Cell(_values(run, key)) for run in runs)] for key in keys]
    return Table("Code, versions and machines in which the runs differ", ["", *(run.name for run in runs)], rows)


def _values(run: EvaluatedRun, key: str) -> str:
    """Those of its starts, each once."""
    known = [dict(facts(start)) for start in run.results.starts]
    return ", ".join(dict.fromkeys(short(found[key]) for found in known if key in found)) or NONE


def _start_in_words(start: Mapping[str, Any]) -> list[str]:
    """Time, code, versions, device and weights; – for what a damaged line does not have."""
    own = [f"{name} {short(value)}" for name, value in _part(start, "code.own").items()]
    git = str(at(start, "code.git") or "no checkout")
    commit, dirty, _ = git.partition("-dirty")
    code = [f"git {commit[:12]}{dirty}", f"sources {short(at(start, 'code.sources'))}", *own]
    versions = [f"{name} {value}" for name, value in _part(start, "versions").items() if value is not None]
    device = _part(start, "device")
    name, count = str(device.pop("name", NONE)), device.pop("count", 1)
    about = [f"{what} {value}" for what, value in device.items() if value not in (None, False, name)]
    where = [f"{name} x{count}" if count != 1 else name, *about, str(start.get("system", NONE))]
    run = [str(start.get("precision", NONE)), f"processes {start.get('processes', NONE)}"]
    weights = [f"{name} {short(value)}" for name, value in _part(start, "weights").items()]
    return [str(start.get("time", NONE)), *(", ".join(part) or NONE for part in (code, versions, where + run, weights))]


def _part(start: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = at(start, key)
    return dict(found) if isinstance(found, Mapping) else {}


def _head_in_words(head: Sequence[str]) -> list[str]:
    """Code, versions and device."""
    git = next((line for line in head if line.startswith("git ")), NONE)
    device = next((line.removeprefix("device ") for line in head if line.startswith("device ")), NONE)
    versions = ", ".join(line for line in head if not line.startswith(("git ", "device "))) or NONE
    return [git, versions, device]
