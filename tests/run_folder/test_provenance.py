"""Which start made which rows, and what was not the same in all of them."""

from __future__ import annotations

import pytest

from dsg.run_folder.folder import RunFolder
from dsg.run_folder.provenance import differences, in_words


def start(number: int, torch: str = "2.6.0", **more) -> dict:
    return {"start": number, "time": f"{number}", "versions": {"torch": torch, "numpy": "2.0"}, **more}


def row(image_id: str, by: int | str | None) -> dict:
    return {"id": image_id, "sample": 0, "status": "ok"} | ({} if by is None else {"start": by})


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_only_starts_that_made_rows_or_the_summary_count(folder):
    for number, torch in ((1, "2.6.0"), (2, "2.7.0"), (3, "2.6.0"), (4, "2.6.0")):
        folder.provenance.append(start(number, torch))
    assert folder.provenance.summary([row("a", 1), row("b", 3)]) == {"starts": 4, "changed": {}}
    changed = {"versions.torch": ["2.6.0", "2.7.0"]}
    assert folder.provenance.summary([row("a", 1), row("b", 2)]) == {"starts": 4, "changed": changed}
    folder.provenance.append(start(5, "2.8.0"))
    assert folder.provenance.summary([row("a", 1)])["changed"] == {"versions.torch": ["2.6.0", "2.8.0"]}


def test_rows_of_per_image_csv_know_their_start_as_those_of_the_journal_do(folder):
    folder.provenance.append(start(1))
    folder.provenance.append(start(2))
    assert [s["start"] for s in folder.provenance.made([row("a", "2")])] == [2]
    assert folder.provenance.unrecorded([row("a", "2"), row("b", 1)]) == 0


def test_rows_of_before_starts_were_recorded_and_of_a_lost_line_are_counted(folder):
    folder.provenance.append(start(1))
    rows = [row("a", 1), row("b", None), row("c", 2), row("d", "")]
    assert folder.provenance.summary(rows)["unrecorded"] == 3


def test_a_number_is_never_given_twice(folder):
    assert folder.provenance.next([]) == 1
    folder.provenance.append(start(1))
    assert folder.provenance.next([]) == 2
    assert folder.provenance.next([row("a", 3), row("b", None)]) == 4


def test_a_torn_line_costs_its_own_start_alone(folder):
    folder.provenance.append(start(1))
    with folder.provenance.path.open("ab") as handle:
        handle.write(b'\0\0\n[2]\n{"no": "start"}\n{"start": "3"}\n{"start": 2, "versi')
    folder.provenance.append(start(3))
    assert [s["start"] for s in folder.provenance.starts()] == [1, 3]


@pytest.mark.parametrize(
    ("one", "two", "changed"),
    [
        ({"processes": 1}, {"processes": 8}, {}),
        ({"device": {"name": "A", "threads": 1}}, {"device": {"name": "A", "threads": 2}}, {}),
        ({"device": {"name": "A"}}, {"device": {"name": "B"}}, {"device.name": ["A", "B"]}),
        ({"code": {"git": "1", "sources": "x"}}, {"code": {"git": "2", "sources": "x"}}, {}),
        ({"code": {"git": "1", "sources": "x"}}, {"code": {"git": "2", "sources": "y"}},
         {"code.git": ["1", "2"], "code.sources": ["x", "y"]}),
        ({"code": {"own": {"my.M": "x"}}}, {"code": {"own": {"my.M": "y"}}}, {"code.own.my.M": ["x", "y"]}),
        ({"weights": {"net.pt": "x"}}, {"weights": {"net.pt": "y"}}, {"weights.net.pt": ["x", "y"]}),
        ({"versions": {"deepinv": None}}, {"versions": {"deepinv": "1"}}, {"versions.deepinv": [None, "1"]}),
        ({"precision": "32-true"}, {}, {}),
    ],
)  # fmt: skip
def test_a_difference_is_what_results_may_depend_on_where_both_know_it(one, two, changed):
    assert differences([{"start": 1, **one}, {"start": 2, **two}]) == changed


def test_differences_are_one_line_with_hashes_by_their_first_digits():
    found = {"code.sources": ["sha256:" + "0123456789abcdef" * 4, None], "versions.torch": ["2.6.0", "2.7.0"]}
    assert in_words(found) == "code.sources sha256:0123456789ab, none; versions.torch 2.6.0, 2.7.0"
