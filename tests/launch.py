"""The command line as processes of its own, several to a run, and what they leave."""

from __future__ import annotations

import csv
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).parent.parent
BOUND = 180.0
"""Seconds after which a test takes a run for hung."""


def command(settings: Path, run: Path, *options: object, ranks: int = 1) -> list[str]:
    """What Python is told: `predict` into `run` on so many processes."""
    several = ("--trainer.devices", ranks, "--trainer.strategy", "ddp") if ranks > 1 else ()
    arguments = ("train_free_eval.py", "predict", "--config", settings, "--run_dir", run, *options, *several)
    return [*map(str, arguments)]


class Started:
    """A script that runs in a process of its own, where the libraries are imported already, and nothing of this code.

    It is asked as a `subprocess.Popen` is, whose stderr is a pipe. The processes that it starts itself are those of any
    user: `python` and what follows.

    Args:
        arguments: the script below `ROOT`, and its own.
        largest_file: bytes beyond which it can write no file, as on a full disk; None for no such limit.
    """

    def __init__(self, arguments: list[str], largest_file: int | None = None) -> None:
        from dsg.comparison.warm_processes import warm_processes  # here: the process itself has none of this code

        processes = warm_processes()
        self._stderr, stderr = processes.Pipe(duplex=False)
        how = (arguments, dict(os.environ), stderr, largest_file)
        self._process = processes.Process(target=_run_script, args=how)  # type: ignore[attr-defined]
        self._process.start()
        stderr.close()  # it is open in the process, and in what that starts

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float) -> tuple[None, str]:
        """stderr, until the last process of the run has closed it, which is when it ends."""
        deadline, said = time.monotonic() + timeout, b""
        while select.select([self._stderr], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if not (more := os.read(self._stderr.fileno(), 1 << 16)):
                self._process.join(max(0.0, deadline - time.monotonic()))
                return None, said.decode()
            said += more
        raise subprocess.TimeoutExpired("a run", timeout, stderr=said)


def _run_script(
    arguments: list[str], environment: dict[str, str], stderr: Connection, largest_file: int | None
) -> None:
    """As `python` runs a script, in a process that has just been made."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})  # the process that is copied hears none
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(stderr.fileno(), 2)
    stderr.close()
    if largest_file is not None:
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    sys.argv = arguments
    sys.path.insert(0, str(ROOT))
    runpy.run_path(arguments[0], run_name="__main__")


def begin_cold(arguments: list[str]) -> subprocess.Popen[str]:
    """The same with nothing imported.

    The pipe of its stderr is open as long as any process of the run is there: `communicate` waits for all.
    """
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def ended(process: Started | subprocess.Popen[str]) -> str:
    """What was said until the last process of the run had ended, which is soon."""
    try:
        _, stderr = process.communicate(timeout=BOUND)
    finally:
        process.kill()
    return stderr


def complete(process: Started | subprocess.Popen[str]) -> None:
    stderr = ended(process)
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
