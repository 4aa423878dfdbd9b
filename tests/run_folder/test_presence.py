"""Who shares a folder: those that beat, and of this machine those that live."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from dsg.errors import UserError
from dsg.run_folder import others, presence
from dsg.run_folder.others import Others
from dsg.run_folder.presence import Presence
from dsg.run_folder.who import Who

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody knows, and silence alone counts")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(presence, "BEAT", 0.02)


@pytest.fixture
def take_part(tmp_path: Path) -> Iterator[Callable[..., Presence]]:
    """One more that is there, by default of another machine each: `take_part(terms, here=False)`."""
    there: list[Presence] = []

    def begin(terms: str = "same", here: bool = False) -> Presence:
        said: list[str] = []
        one = Presence(tmp_path / "hosts", {"terms": terms}, _differ, said.append)
        one.me = one.known.me = one.me if here else replace(one.me, machine=f"machine {len(there)}")
        one.join()
        there.append(one)
        return one

    yield begin
    for one in there:
        one.leave()


def _differ(who: Who, theirs, ours) -> str:
    return "" if theirs == ours else f"{who} has other terms"


def stop(one: Presence) -> None:
    """As SIGKILL does, or a power cut: nothing is written any more, and its file stays."""
    one._end.set()
    one._heart.join()


def suspend(one: Presence, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """As SIGSTOP does, from its next beat on and until what is returned is set."""
    look, stopped, resume = one.known.look, threading.Event(), threading.Event()

    def wait(folder: Path) -> None:
        stopped.set()
        resume.wait(60)
        look(folder)

    monkeypatch.setattr(one.known, "look", wait)
    assert stopped.wait(60)
    return resume


def until(so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@on_linux
def test_of_this_machine_a_process_that_was_killed_is_seen_at_once_also_before_its_parent_has_noticed():
    process = subprocess.Popen(["sleep", "60"])
    here = Who.this_process()
    born = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    who = replace(here, pid=process.pid, born=born)
    assert (who.is_known, who.has_ended()) == (True, False)
    assert replace(who, born="1").has_ended(), "the number is another's by now"
    process.kill()
    until(lambda: who.has_ended())  # a zombie
    process.wait()
    assert who.has_ended()
    assert not replace(who, machine="another").has_ended()


def test_one_that_is_silent_for_as_many_of_ones_own_beats_is_gone_and_may_come_back(tmp_path):
    other = Who("other", machine="another")
    file = tmp_path / "other.json"
    known = Others(Who("me"))
    for beat in range(3):
        file.write_text(f'{{"token": "other", "beat": {beat}}}')
        known.look(tmp_path)
    assert known.lives(other)
    for _ in range(others.PATIENCE - 1):
        known.look(tmp_path)
    file.write_text('{"tok')  # of a moment at which it cannot be read nothing follows
    assert known.lives(other)
    known.look(tmp_path)
    assert known.gone(other)
    file.write_text('{"token": "other", "beat": 3}')
    known.look(tmp_path)
    assert known.lives(other)


def test_one_that_has_no_file_is_watched_from_the_first_question_on(tmp_path):
    known, other = Others(Who("me")), Who("other", machine="another")
    for _ in range(others.PATIENCE + 1):
        known.look(tmp_path)
    assert not known.gone(other)
    for _ in range(others.PATIENCE):
        known.look(tmp_path)
    assert known.gone(other)


def test_those_that_begin_at_once_are_in_one_gathering_and_the_last_takes_it_away(take_part, tmp_path, monkeypatch):
    monkeypatch.setattr(others, "PATIENCE", 10_000)  # nobody is gone, however busy the machine
    with ThreadPoolExecutor(4) as pool:
        there = list(pool.map(lambda _: take_part(), range(4)))
    assert len({one.gathering for one in there}) == 1
    for one in there:
        until(lambda one=one: len(one.others()) == 3)
    for left, one in enumerate(there):
        assert (tmp_path / "hosts").exists(), left
        one.leave()
    assert not (tmp_path / "hosts").exists()


def test_where_all_were_killed_the_next_waits_to_see_it_says_so_and_begins_anew(take_part, tmp_path):
    first = take_part()
    (first.gathering / "claims").mkdir()
    stop(first)
    said: list[str] = []
    second = Presence(tmp_path / "hosts", {"terms": "others"}, _differ, said.append)
    second.join()
    assert said == [f"waits up to {0.02 * others.PATIENCE:.0f} s to see whether {first.me} goes on"]
    assert second.gathering != first.gathering
    assert not first.gathering.exists()
    second.leave()


def test_other_terms_are_refused_and_leave_nothing(take_part, tmp_path):
    first = take_part(here=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"\(process \d+\) has other terms$"):
        take_part("others")
    assert [path for path in sorted(tmp_path.rglob("*")) if path.suffix != ".tmp"] == before
    assert not first.others()


def test_one_that_returns_after_its_gathering_has_ended_is_in_the_new_one(take_part, monkeypatch):
    suspended = take_part()
    resume = suspend(suspended, monkeypatch)
    second = take_part()
    assert second.gathering != suspended.gathering
    resume.set()
    until(lambda: suspended.gathering == second.gathering and suspended.others() and second.others())


def test_one_that_returns_and_finds_other_terms_knows_why_it_cannot_go_on(take_part, monkeypatch):
    suspended = take_part()
    resume = suspend(suspended, monkeypatch)
    take_part("others")
    resume.set()
    until(lambda: suspended.refused)
    assert "has other terms" in str(suspended.refused)


def test_one_whose_files_another_took_away_as_it_left_enters_again(take_part):
    first = take_part()
    entered = first.entered
    first._own_files(first.gathering)[1].unlink()  # its terms alone: the beat was written between
    until(lambda: first.entered > entered and first.belongs())
    second = take_part()
    assert second.gathering == first.gathering


def test_the_last_takes_nothing_away_from_one_that_begins_meanwhile(take_part, tmp_path, monkeypatch):
    first, begun = take_part(), []
    rmtree = presence.shutil.rmtree

    def and_another_begins(folder: Path, **options: bool) -> None:
        rmtree(folder, **options)
        if folder == first.gathering and not begun:
            begun.append(True)
            begun.append(take_part("others"))

    monkeypatch.setattr(presence.shutil, "rmtree", and_another_begins)
    first.leave()
    assert begun[1].belongs()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*Not a directory; finished images are kept"):
        Presence(tmp_path / "file" / "hosts", {}, _differ, print).join()
