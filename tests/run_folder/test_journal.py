"""A journal continues, whatever stands behind its last row."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsg.metrics.summary import summarise
from dsg.run_folder.folder import RunFolder

FINISHED = [
    {"id": "a", "sample": 0, "psnr": 20.0, "start": 1, "status": "ok"},
    {"id": "ü", "sample": 1, "psnr": 30.0, "start": 1, "status": "ok"},
]
LINE = json.dumps({"id": "b", "sample": 0, "psnr": 1.0, "status": "ok"}).encode()

texts = st.text(st.characters(codec="utf-8"))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
objects = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=5)
almost_rows = st.fixed_dictionaries({"id": objects, "sample": objects, "status": objects}, optional={"psnr": objects})
wrong_rows = almost_rows.filter(lambda row: [type(row[k]) for k in ("id", "sample", "status")] != [str, int, str])
tails = st.one_of(
    st.binary(),
    st.integers(0, len(LINE)).map(lambda n: LINE[:n]),
    st.integers(1, 64).map(lambda n: b"\0" * n),
    (objects.filter(lambda found: not isinstance(found, dict)) | wrong_rows).map(lambda f: json.dumps(f).encode()),
)


@settings(max_examples=60)
@given(tail=st.lists(tails, max_size=3).map(b"\n".join), ended=st.booleans())
@example(tail=b"[" * 100_000, ended=True)
@example(tail=b'{"id": "b", "sample": 0, "status": "ok", "psnr": ' + b"9" * 5000 + b"}", ended=True)
@example(tail=b'{"id": "b", "sample": true, "status": "ok"}', ended=True)
@example(tail=b'{"id": "b", "sample": 0, "status": "ok", "psnr": [1]}', ended=True)
@example(tail=b'{"id": "b\xff", "sample": 0, "status": "ok"}', ended=True)
@example(tail=b"\r\n\x85\xe2\x80\xa8", ended=False)
def test_any_bytes_behind_the_rows_leave_all_of_them_and_the_next_ones_are_whole(tail, ended):
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place) / "run")
        folder.append(FINISHED)
        with (folder.path / "rows" / "rank0.jsonl").open("ab") as handle:
            handle.write(tail + b"\n" * ended)
        rows = folder.rows()
        assert all(row in rows for row in FINISHED)
        later = {"id": "z", "sample": 7, "psnr": 10.0, "start": 2, "status": "ok"}
        folder.append([later])
        assert [row for row in folder.rows() if row not in rows] == [later]
        folder.journal.leave_out_all_but(["a", "ü", "z"])
        assert folder.rows() == [FINISHED[0], later, FINISHED[1]]
        folder.finish(summarise(folder.rows()))
        assert folder.is_finished()


@pytest.mark.parametrize("damage", [b"[", b"\0\0\0", b'{"a": 1}', b"[5]", b"\xff"])
def test_a_damaged_list_of_what_is_left_out_is_made_again(tmp_path, damage):
    folder = RunFolder(tmp_path / "run")
    folder.append(FINISHED)
    (folder.path / "rows" / "left_out.json").write_bytes(damage)
    folder.journal.leave_out_all_but(["a"])
    assert folder.done() == {("a", 0)}


@pytest.mark.parametrize("wrong", [{"psnr": [1.0]}, {"psnr": {}}, {"sample": "0"}, {"id": 7}, {"status": None}])
def test_what_would_not_be_read_again_is_not_written(tmp_path, wrong):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(TypeError, match="a row has id, sample, status and plain values, got"):
        folder.append([FINISHED[0] | wrong])
    assert folder.rows() == []


def test_a_run_resumes_behind_rubbish_with_the_results_of_one_that_was_not_disturbed(evaluate, tmp_path):
    few = ("--quality.lpips", "[]")
    assert evaluate(*few, "--data.limit", 2) == 0
    journal = tmp_path / "run" / "rows" / "rank0.jsonl"
    with journal.open("ab") as handle:
        handle.write(b'[1]\n{"no": "id"}\n\xff\xfe\0\0\0{"id": "c", "sam')
    assert evaluate(*few) == 0
    rows = {row["id"]: row for row in RunFolder(tmp_path / "run").rows()}
    assert sorted(rows) == ["a", "b", "c", "d", "more/e", "more/f"]
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert [rows[name]["start"] for name in ("a", "b", "c", "more/f")] == [1, 1, 2, 2]


def test_of_a_sample_that_was_made_again_the_later_row_counts_whatever_stands_first(tmp_path):
    rows = [{"id": "a", "sample": 0, "psnr": float(start), "start": start, "status": "ok"} for start in (1, 3, 2)]
    failed = {"id": "a", "sample": 0, "start": 4, "status": "failed: the sample is not finite"}
    folder = RunFolder(tmp_path / "run")
    folder.open({})
    folder.append([*rows, failed])
    folder.close()
    assert [row["start"] for row in folder.rows()] == [3]
