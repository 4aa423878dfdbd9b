"""Of several processes that want the same exactly one has it, whatever happens in between."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from dsg.errors import UserError
from dsg.run_folder.claims import DONE, FREE, HELD, Claim, Claims
from dsg.run_folder.who import Who

NAME = "runs/task/method"
HOSTS = 3


def claims(folder: Path, token: str, gone: set[str]) -> Claims:
    return Claims(folder, Who(token), lambda who: who.token in gone)


moves = st.tuples(st.sampled_from(["look", "take", "done", "give back", "lost", "found"]), st.integers(0, HOSTS - 1))


@how(max_examples=40)
@given(st.lists(moves, max_size=40))
def test_in_whatever_order_hosts_look_take_and_vanish_one_has_the_run_and_what_is_done_is_not_begun_again(order):
    """A host may look long before it takes; one that was taken for gone may have been suspended, and goes on."""
    with tempfile.TemporaryDirectory() as folder:
        gone: set[str] = set()
        hosts = [claims(Path(folder), str(i), gone) for i in range(HOSTS)]
        looked = [Claim()] * HOSTS
        counts = Claim()
        for move, i in order:
            if move == "look":
                looked[i] = hosts[i].look(NAME)
                assert looked[i] == counts
            elif move == "take" and hosts[i].can_take(looked[i]):
                fresh = looked[i].number == counts.number
                assert hosts[i].take(NAME, looked[i]) == fresh
                counts = Claim(counts.number + 1, HELD, hosts[i].me) if fresh else counts
            elif move in ("done", "give back"):
                hosts[i].done(NAME) if move == "done" else hosts[i].give_back()
                if counts.state == HELD and counts.by == hosts[i].me:
                    counts = Claim(counts.number, DONE if move == "done" else FREE, counts.by)
            elif move in ("lost", "found"):
                gone.add(str(i)) if move == "lost" else gone.discard(str(i))
            assert hosts[0].look(NAME) == counts
            if counts.state == DONE:
                assert not any(host.can_take(counts) for host in hosts)
                assert not any(host.take(NAME, Claim(n)) for host in hosts for n in range(counts.number))


def test_of_many_that_take_over_at_the_same_moment_one_succeeds(tmp_path):
    gone = {"dead"}
    dead = claims(tmp_path, "dead", gone)
    others = [claims(tmp_path, str(i), gone) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for trial in range(20):
            name = f"runs/{trial}"
            assert dead.take(name, Claim())
            seen = [other.look(name) for other in others]
            assert all(other.can_take(claim) for other, claim in zip(others, seen, strict=True))
            won = list(pool.map(lambda pair: pair[0].take(name, pair[1]), zip(others, seen, strict=True)))  # noqa: B023
            assert sum(won) == 1
            assert others[0].look(name).by.token == str(won.index(True))


@pytest.mark.parametrize("content", [b"", b'{"state": "do', b"[]", b'{"state": 3, "token": 7}'])
def test_a_claim_that_is_not_whole_is_somebodys_whose_silence_is_counted_for_it_alone(tmp_path, content):
    asked: list[str] = []
    mine = Claims(tmp_path, Who("me"), lambda who: bool(asked.append(who.token)))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1").write_bytes(content)
        claim = mine.look(name)
        assert (claim.number, claim.state) == (1, HELD)
        assert not mine.can_take(claim)
    assert asked == ["one/1", "two/1"]


def test_what_is_held_goes_along_to_another_folder_unless_somebody_has_it_there(tmp_path):
    mine, other = claims(tmp_path / "old", "me", set()), claims(tmp_path / "new", "other", set())
    for name in ("one", "two"):
        mine.take(name, Claim())
    other.take("two", Claim())
    mine.move(tmp_path / "new")
    assert {name: other.look(name).by.token for name in ("one", "two")} == {"one": "me", "two": "other"}
    mine.done("two")
    assert other.look("two").state == HELD


def test_a_claim_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write .*runs/task/method/1: "):
        claims(tmp_path, "me", set()).take(NAME, Claim())
