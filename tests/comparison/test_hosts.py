"""Hosts share a comparison out: each run is begun once, none is lost with its host, and all write the same table."""

from __future__ import annotations

import contextlib
import csv
import json
import multiprocessing
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from dsg.command.exit_codes import MISTAKE
from dsg.comparison import hosts, run
from dsg.comparison.batch_system import stand_alone
from dsg.comparison.grid import PlannedRun
from dsg.comparison.hosts import Hosts
from dsg.comparison.run import run_all
from dsg.comparison.terms import other_terms
from dsg.errors import UserError
from dsg.run_folder import others, presence, who
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.others import PATIENCE
from dsg.run_folder.who import Who
from tests import toy_faults
from tests.launch import results
from train_free_eval import main

BOUND = 600.0
"""Seconds after which a host is taken for hung; machines may be busy."""

FAR_BEAT, FAR_PATIENCE = 0.5, 10
"""Of far hosts: gone after five seconds of silence."""

TERMS = {"settings": {}, "made_by": {}}
RUNS = [f"runs/{number}" for number in range(4)]


class Moved(Hosts):
    """One whose round goes on a step at a time, and says what it was given and told."""

    def __init__(self, out_dir: Path) -> None:
        super().__init__(out_dir, TERMS, self._note)
        self.said: list[str] = []
        self.told: dict[str, str] = {}
        self.at: PlannedRun | None = None
        runs = [PlannedRun(name, out_dir, {}) for name in RUNS]
        self.round = self.share(runs, lambda run, by, before: self.told.update({run.name: by.token}))
        self.over = False

    def _note(self, line: str) -> None:
        self.said.append(line)

    def step(self) -> PlannedRun | None:
        """Finish what it is at, or else begin the next; what it has begun now."""
        if self.at is not None:
            RunFolder(self.at.folder).finish({})
            self.done(self.at)
            self.at = None
            return None
        try:
            self.at = next(self.round)
        except StopIteration:
            self.over = True
        return self.at


@how(max_examples=15)
@given(st.lists(st.integers(0, 2), min_size=10, max_size=40), st.data())
def test_in_whatever_order_hosts_get_on_each_run_is_begun_once_but_what_a_host_took_with_it(order, data):
    with tempfile.TemporaryDirectory() as folder:
        hosts = [Moved(Path(folder)) for _ in range(3)]
        for host in hosts:
            host.presence._enter()  # without a heart: who is gone is said below
        begun: list[str] = []
        lost: PlannedRun | None = None
        killed = data.draw(st.sampled_from([None, *hosts]))
        dies = data.draw(st.integers(0, len(order)))
        for number, i in enumerate([*order, *[0, 1, 2] * 8]):
            if number == dies and killed:
                lost = killed.at
                for host in (host for host in hosts if host is not killed):
                    host.presence.known.gone(killed.presence.me)
                    host.presence.known._seen[killed.presence.me.token].silent = PATIENCE
            if not (hosts[i] is killed and number >= dies) and (run := hosts[i].step()):
                begun.append(run.name)
        assert sorted(begun) == sorted([*RUNS, *([lost.name] if lost else [])])
        alive = [host for host in hosts if host is not killed]
        assert all(host.over for host in alive)
        for host in alive:
            assert set(host.told) | host._been_through == set(RUNS)
            host.presence.leave()


def test_a_run_that_is_done_and_whose_files_are_not_there_is_waited_for_and_then_done_again(tmp_path, monkeypatch):
    """Of another machine's files some show late; a folder that somebody took away never does."""
    one, other = Moved(tmp_path), Moved(tmp_path)
    with one, other:
        run = one.step()
        assert run is not None
        one.done(run)
        monkeypatch.setattr(other.presence, "beats", 1)
        for _ in RUNS[1:]:
            assert (begun := other.step()) is not None
            assert begun.name != run.name
            other.step()
        assert other.step() is None
        assert not other.over
        other.presence.beats += 1000
        assert other.step() == run


def test_a_folder_in_which_a_run_still_goes_on_is_not_taken_over_but_waited_for(tmp_path, monkeypatch):
    """Of a host that was suspended, or whose worker ends a moment after it."""
    folder = RunFolder(tmp_path / RUNS[0])
    folder.open({"steps": 5})
    with Moved(tmp_path) as host:
        begun = host.step()
        assert begun is not None
        assert begun.name == RUNS[1]
        host.presence.beats += 1000
        host.step()
        host.step()
        assert any(re.match(rf"waits for {RUNS[0]}: .* in use by another run of this process", s) for s in host.said)
        folder.close()
        host.step()
        begun = host.step()
        assert begun is not None
        assert begun.name == RUNS[0]


def test_what_a_host_has_when_it_is_interrupted_others_have_at_once(tmp_path):
    with Moved(tmp_path) as other:
        host = Moved(tmp_path)
        with contextlib.suppress(KeyboardInterrupt), host:
            run = host.step()
            assert run is not None
            raise KeyboardInterrupt
        assert other.step() == run
        assert other.said == []  # it was not taken over, but given back


def test_hosts_of_other_settings_or_other_code_are_refused_in_a_line_that_names_what(tmp_path):
    who, mend = Who("x", "node7", 12), "use the same, or give this one another --out_dir"
    ours = {
        "settings": {"steps": 5, "seed": 0},
        "made_by": {"code": {"git": "b", "sources": "s2"}, "versions": {"t": 1}},
    }
    theirs = json.loads(json.dumps(ours))
    assert other_terms(who, theirs, ours) == ""
    theirs["made_by"]["code"]["git"] = "a"
    assert other_terms(who, theirs, ours) == "", "another commit of the same files is the same code"
    theirs["made_by"]["code"]["sources"] = "s1"
    said = "--out_dir: node7 (process 12) is comparing there with other code or libraries: code.git a, b; "
    said += "code.sources s1, s2"
    assert other_terms(who, theirs, ours) == f"{said}; {mend}"
    theirs["settings"] = {"steps": 6, "seed": 0}
    said = "--out_dir: node7 (process 12) is comparing there with other settings: steps was 6, now 5"
    assert other_terms(who, theirs, ours) == f"{said}; {mend}"
    with (
        Hosts(tmp_path, ours, print),
        pytest.raises(UserError, match="comparing there with other settings"),
        Hosts(tmp_path, theirs, print),
    ):
        pass


def test_a_task_of_a_batch_system_is_no_process_of_a_run(monkeypatch):
    from lightning.pytorch.utilities import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 3)
    stand_alone()
    assert rank_zero_only.rank == 3, "torchrun's processes are none of this"
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "3")
    stand_alone()
    assert rank_zero_only.rank == 0
    assert not {"SLURM_NTASKS", "SLURM_PROCID"} & os.environ.keys()


def guidance(name: str, **arguments) -> dict:
    return {"model": {"guidance": {"class_path": f"dsg.guidance.{name}", "init_args": arguments}}}


@pytest.fixture
def long(request) -> bool:
    return request.node.get_closest_marker("slow") is not None


@pytest.fixture
def plan(settings: Path, tmp_path: Path, monkeypatch, long: bool) -> Path:
    """Two runs of two images, one at a time; of a long trial eight, on two tasks, and one of the methods is tuned."""
    content = yaml.safe_load(settings.read_text())
    content["data"]["init_args"] |= {"limit": 2, "batch_size": 1}
    content["model"] |= {"score_model": {"class_path": "tests.toy_faults.Slow"}, "steps": 2}
    del content["model"]["task"], content["model"]["guidance"]
    content["quality"]["backbones"] = "no backbones"  # it is told in metrics.json, which is compared
    dps = {**guidance("DPS"), "tune": {"model.guidance.init_args.step_size": [0.5, 1.0]}}
    content["comparison"] = {
        "tasks": {n: {"model": {"task": {"class_path": f"tasks.{n}"}}} for n in ("RandomInpainting", "Denoising")},
        "methods": {"dps": dps, "unguided": guidance("Unguided")},
        "metrics": ["psnr", "ssim"],
        "tuning": {"metric": "psnr", "data": {"init_args": {"first": 2, "limit": 2}}},
    }
    if not long:
        del content["comparison"]["tasks"]["Denoising"], content["comparison"]["tuning"], dps["tune"]
    file = tmp_path / "comparison.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.setattr(toy_faults, "PAUSE", 0.0)  # of this process
    return file


class Host:
    """A host as a process of its own: a copy of this one, which has imported everything.

    Args:
        arguments: of the command line.
        far: as on another machine: nothing is known of it but its files. It beats fast, so that trials are short.
        pause: seconds that a pass through the network takes, so that something can happen meanwhile.
    """

    def __init__(self, arguments: list[str], far: bool = False, pause: float = 0.05) -> None:
        log = Path(arguments[arguments.index("--out_dir") + 1]).parent / f"{secrets.token_hex(4)}.log"
        how = (arguments, far, pause, log)
        self.log, self.process = log, multiprocessing.get_context("fork").Process(target=_live, args=how)
        self.process.start()

    def send_signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def ended(self) -> int | None:
        """The exit code, once it has ended by itself; None if it hangs."""
        self.process.join(BOUND)
        code = self.process.exitcode
        self.process.kill()
        self.process.join()
        return code

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""  # it has only just begun


def _live(arguments: list[str], far: bool, pause: float, log: Path) -> None:
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT, 0o600), 1)
    os.dup2(1, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    toy_faults.PAUSE = pause
    if far:
        presence.BEAT, others.PATIENCE, hosts.PATIENCE = FAR_BEAT, FAR_PATIENCE, FAR_PATIENCE
        name = f"machine {secrets.token_hex(4)}"
        who._machine = lambda: name  # type: ignore[assignment]
    run.warm_processes = lambda: multiprocessing.get_context("fork")  # workers have imported everything too
    sys.exit(main(arguments))


def command(plan: Path, out: Path, workers: int = 1) -> list[str]:
    return ["compare", "--config", str(plan), "--out_dir", str(out), "--workers", str(workers)]


def tables(out: Path) -> dict[str, list[str]]:
    """What every host writes, without the columns of seconds."""
    with (out / "table.csv").open(newline="") as handle:
        rows = [[value for name, value in row.items() if name != "seconds"] for row in csv.DictReader(handle)]
    found = {"table.csv": [",".join(row) for row in rows]}
    for name, bar in (("table.md", "|"), ("table.tex", "&")):
        at = None
        found[name] = []
        for line in (out / name).read_text().splitlines():
            cells = line.split(bar)
            at = next((i for i, cell in enumerate(cells) if "s/image" in cell), at)
            found[name].append(bar.join(cell for i, cell in enumerate(cells) if len(cells) < 5 or i != at))
    return found


def starts(out: Path) -> dict[str, int]:
    """Of every run, how often it was begun."""
    return {str(f.parent.relative_to(out)): f.read_text().count("\n") for f in out.rglob("provenance.jsonl")}


def require_equal(out: Path, alone: Path) -> None:
    assert tables(out) == tables(alone)
    assert starts(out).keys() == starts(alone).keys()
    for name in starts(alone):
        assert results(out / name) == results(alone / name)
    assert not (out / "hosts").exists()


def wait_for_runs(out: Path, count: int) -> None:
    deadline = time.monotonic() + BOUND
    while len(starts(out)) < count:
        assert time.monotonic() < deadline, "the comparison does not get on"
        time.sleep(0.02)


@pytest.fixture
def alone(plan: Path, tmp_path_factory, long: bool) -> Path:
    """The same comparison on one host; once for all long trials, which differ in nothing else."""
    out = tmp_path_factory.getbasetemp() / ("alone long" if long else "alone")
    if not (out / "table.csv").exists():
        assert Host(command(plan, out), pause=0.0).ended() == 0
        assert set(starts(out).values()) == {1}
    return out


def test_two_hosts_share_a_comparison_and_the_second_takes_over_what_the_killed_first_had(
    plan, alone, tmp_path, capsys, monkeypatch
):
    out = tmp_path / "out"
    first = Host(command(plan, out))
    wait_for_runs(out, 1)
    first.send_signal(signal.SIGSTOP)  # it is killed when this one knows that it is there
    follow = Hosts._follow
    monkeypatch.setattr(Hosts, "_follow", lambda self: (follow(self), first.send_signal(signal.SIGKILL)))
    capsys.readouterr()
    assert main(command(plan, out)) == 0
    require_equal(out, alone)
    assert sum(starts(out).values()) <= len(starts(out)) + 1
    said = capsys.readouterr().out
    assert f"(process {first.process.pid}) takes part\n" in said
    assert f"(process {first.process.pid}) takes part no more\n" in said


HOLDER = """
import fcntl, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
file = (folder / ".lock").open("w")
fcntl.lockf(file, fcntl.LOCK_EX)
(folder / "held").touch()
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_a_run_whose_folder_another_process_has_when_it_begins_is_given_back_and_no_mistake(tmp_path):
    planned = PlannedRun("a", tmp_path, {})
    holder = subprocess.Popen([sys.executable, "-S", "-c", HOLDER, str(planned.folder)])
    try:
        while not (planned.folder / "held").exists():
            assert holder.poll() is None
            time.sleep(0.02)
        assert list(run_all([planned], lambda arguments: MISTAKE, workers=1)) == [(planned, False)]
    finally:
        holder.kill()
        holder.wait()
    planned.log.write_text("error: nothing fits")
    with pytest.raises(UserError, match=r"^a: nothing fits$"):
        list(run_all([planned], lambda arguments: MISTAKE, workers=1))


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(20))
def test_one_of_several_hosts_is_killed_at_any_moment_and_the_table_is_that_of_one(plan, alone, tmp_path, trial):
    """With their figures, by `pytest -m slow -k killed_at_any_moment -s`."""
    chance = random.Random(trial)
    out, count = tmp_path / "out", 2 + trial % 2
    far, workers = bool(trial // 2 % 2), 1 + trial // 4 % 2
    began = time.monotonic()
    others = [Host(command(plan, out, workers), far) for _ in range(count)]
    wait_for_runs(out, chance.randint(1, 6))
    time.sleep(chance.uniform(0, 1.0))
    victim = others.pop(chance.randrange(count))
    victim.send_signal(signal.SIGKILL)
    at = len(starts(out))
    for host in others:
        assert host.ended() == 0, host.said()
    victim.ended()
    if (out / "hosts").exists():  # nobody could know yet that it was gone: who begins next does
        assert far
        assert len(list(out.glob("hosts/*/*.json"))) == 1
        later = Host(command(plan, out, workers), far)
        assert later.ended() == 0, later.said()
    require_equal(out, alone)
    begun = starts(out)
    again = sorted(begun.values())[-workers:]
    told = f"trial {trial}: {count} hosts {'far' if far else 'near'}, workers {workers}, killed with {at} runs begun"
    print(f"{told}: {sum(begun.values())} starts of {len(begun)} runs, {time.monotonic() - began:.0f} s")
    assert sum(begun.values()) <= len(begun) + workers
    assert max(again) <= 2


@pytest.mark.slow
def test_a_host_that_was_suspended_for_long_wakes_up_and_ends_with_the_same_table(plan, alone, tmp_path):
    out = tmp_path / "out"
    first = Host(command(plan, out), far=True)
    wait_for_runs(out, 2)
    first.send_signal(signal.SIGSTOP)
    second = Host(command(plan, out), far=True)
    deadline = time.monotonic() + BOUND
    while "waits for" not in second.said():  # what the first still has open
        assert time.monotonic() < deadline, second.said()
        time.sleep(0.1)
    first.send_signal(signal.SIGCONT)
    for host in (first, second):
        assert host.ended() == 0, host.said()
    require_equal(out, alone)


@pytest.mark.slow
def test_a_mistake_ends_each_host_and_none_waits_for_another(plan, tmp_path):
    content = yaml.safe_load(plan.read_text())
    content["model"]["score_model"]["class_path"] = "tests.toy_faults.Mistaken"
    plan.write_text(yaml.safe_dump(content))
    both = [Host(command(plan, tmp_path / "out")) for _ in range(2)]
    for host in both:
        assert host.ended() == 1
        assert "ZeroDivisionError: a bug" in host.said()
    assert not (tmp_path / "out" / "hosts").exists()
