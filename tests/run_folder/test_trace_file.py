"""The trace that a run keeps: whole, or said to be damaged."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from dsg.errors import UserError
from dsg.run_folder.trace_file import Curve, Trace, samples_kept

KEPT = Trace(8, {"loss": Curve("loss L(x̂, y)", [2.0, 1.0], [1.0, 0.5], [2.0, 0.75], [3.0, None])})


def test_a_trace_is_read_as_it_was_written_and_a_folder_without_one_has_none(tmp_path):
    assert Trace.read(tmp_path) is None
    assert samples_kept(tmp_path) == 0
    KEPT.write(tmp_path)
    assert Trace.read(tmp_path) == KEPT
    assert samples_kept(tmp_path) == 8
    assert (KEPT.steps, [path.name for path in tmp_path.iterdir()]) == (2, ["trace.json"])


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.pop("samples"),
        lambda found: found["measures"]["loss"].update(p50=["1", 2.0]),
        lambda found: found["measures"]["loss"].update(p50=[1.0]),
        lambda found: found["measures"]["loss"].update(p50=[True, 1.0]),
        lambda found: found["measures"]["loss"].update(mean=[1.0, float("nan")]),
        lambda found: found["measures"]["loss"].pop("title"),
        lambda found: found.update(measures=[1]),
        lambda found: found.update(samples=float("inf")),
        lambda found: found["measures"]["loss"].update(mean=[10**400, 1.0]),
        lambda found: found["measures"].update(other=asdict(Curve("", [1.0], [1.0], [1.0], [1.0]))),
    ],
)
def test_a_trace_that_is_damaged_is_said(tmp_path, change):
    found = json.loads(json.dumps(asdict(KEPT)))
    change(found)
    (tmp_path / "trace.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match=r"trace\.json is damaged"):
        Trace.read(tmp_path)


def test_half_a_file_is_damaged_too(tmp_path):
    (tmp_path / "trace.json").write_bytes(b"\xff{")
    with pytest.raises(UserError, match=r"trace\.json is damaged"):
        Trace.read(tmp_path)
    assert samples_kept(tmp_path) == 0
