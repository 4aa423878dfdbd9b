"""`report` of judged runs says whether the judge can be believed, and what another world makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from dsg.report.calibration import calibration


@dataclass
class Run:
    name: str
    rows: list[dict] = field(default_factory=list)


def judged(name: str, right: list[int], confidence: float, first: int = 0) -> Run:
    rows = [
        {"id": f"{first + i}", "status": "ok", "judge_confidence": confidence + 0.01 * i, "judge_correct": correct}
        for i, correct in enumerate(right)
    ]
    return Run(name, rows)


def test_a_run_without_a_judge_has_no_table_and_one_alone_no_differences():
    assert calibration([Run("plain")]) is None
    table = calibration([Run("plain"), judged("in", [1, 1, 0, 1], 0.7)])
    assert [cell.text for cell in table.rows[0]] == ["in", "0.750", "0.715", "-0.035", "0.035"]
    assert table.rows[0][0].run == 1
    assert "Δ ECE" not in table.header


def test_another_world_is_compared_with_the_first_by_image():
    inside, outside = judged("in", [1, 1, 1, 0], 0.8), judged("out", [1, 0, 0, 0], 0.6)
    table = calibration([inside, outside])
    cells = dict(zip(table.header, table.rows[1], strict=True))
    assert [cell.text for cell in table.rows[0][5:]] == ["–"] * 4
    assert cells["Δ accuracy"].text == "-0.500"
    assert cells["Δ (confidence − accuracy)"].value == pytest.approx(0.3)
    assert cells["AUROC"].text == "1.000"
    assert len(table.notes) == 1


def test_runs_that_share_no_image_are_said_not_to_be_paired():
    table = calibration([judged("in", [1, 1, 0], 0.8), judged("out", [1, 0, 0], 0.8, first=10)])
    assert table.notes[1] == "out: it has no image of in, so that its differences are not paired."
    assert table.rows[1][-1].text == "0.500"
