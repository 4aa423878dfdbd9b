"""Two runs in one folder at a time are one too many."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dsg.errors import UserError
from dsg.run_folder.folder import RunFolder
from tests.launch import ROOT

HOLD = """
import sys
from dsg.run_folder.folder import RunFolder
folder = RunFolder(sys.argv[1])
folder.open({"steps": 5})
print("open", flush=True)
sys.stdin.read()
"""

# without the project, so that it begins at once
TAKE = """
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1] + "/.lock", "a"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("taken")
except OSError:
    print("refused")
"""


@pytest.fixture
def other(tmp_path: Path):
    """Another run, which is going on in `run`."""
    run = [sys.executable, "-c", HOLD, tmp_path / "run"]
    process = subprocess.Popen(run, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("options", [(), ("--fresh",)])
def test_a_folder_in_use_is_refused_with_who_uses_it_and_left_alone(evaluate, tmp_path, capsys, other, options):
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    assert evaluate(*options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: run_dir: {tmp_path}/run is in use by another run (process {other.pid} on ")
    assert line.endswith("); wait until it has ended, or choose another run_dir")
    assert (tmp_path / "run" / "config.yaml").read_bytes() == before
    assert not (tmp_path / "run.1").exists()


def test_a_run_that_was_killed_holds_its_folder_no_longer(tmp_path, other):
    with pytest.raises(UserError, match="in use"):
        RunFolder(tmp_path / "run").open({"steps": 5})
    other.kill()
    other.wait()
    RunFolder(tmp_path / "run").open({"steps": 5})


@pytest.mark.parametrize("path", ["run", "here/../run", "link", "linked/run"])
def test_a_folder_that_this_process_has_open_is_refused_by_whichever_path(tmp_path, monkeypatch, path):
    first = RunFolder(tmp_path / "run")
    first.open({"steps": 5})
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    (tmp_path / "linked").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for fresh in (False, True):
        with pytest.raises(UserError, match="is in use by another run of this process; wait until it has ended, or"):
            RunFolder(path).open({"steps": 5}, fresh=fresh)
    refused = subprocess.run([sys.executable, "-c", TAKE, tmp_path / "run"], capture_output=True, text=True, cwd=ROOT)
    assert refused.stdout == "refused\n", "the second opening must not give back what the first has"
    first.close()
    RunFolder(path).open({"steps": 5})


def test_a_run_in_a_folder_that_this_process_has_open_ends_in_one_line(evaluate, tmp_path, capsys):
    first = RunFolder(tmp_path / "run")
    first.open({"steps": 5})
    assert evaluate() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: run_dir: {tmp_path}/run is in use by another run of this process; wait")
    first.close()


def test_an_opening_that_nobody_holds_any_more_is_over(tmp_path):
    RunFolder(tmp_path / "run").open({"steps": 5})
    RunFolder(tmp_path / "run").open({"steps": 5})


def test_of_two_threads_that_open_one_folder_at_once_one_gets_it(tmp_path):
    folders = [RunFolder(tmp_path / "run") for _ in range(8)]

    def opened(folder: RunFolder) -> bool:
        try:
            folder.open({"steps": 5})
        except UserError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(opened, folders)) == 1


def test_runs_after_each_other_in_one_process_do_not_meet(tmp_path):
    for _ in range(2):
        folder = RunFolder(tmp_path / "run")
        folder.open({"steps": 5})
        folder.close()


@pytest.mark.parametrize("options", [(), ("--model.seed", 1), ("--model.seed", 1, "--fresh")])
def test_a_run_that_ends_by_itself_leaves_no_lock(evaluate, tmp_path, options):
    assert evaluate("--data.limit", 1) == 0
    assert evaluate("--data.limit", 1, *options) == (2 if options == ("--model.seed", 1) else 0)
    assert not list(tmp_path.glob("run*/.lock"))
