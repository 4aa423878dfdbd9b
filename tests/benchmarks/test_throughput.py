"""The benchmark of throughput in small: every way that a CPU has, and what its table says."""

from __future__ import annotations

import pytest

from benchmarks import throughput
from dsg.models.adm import ADM

TINY = {"image_size": 16, "num_channels": 32, "channel_mult": "1,2", "attention_resolutions": "8"}


@pytest.fixture
def cells(monkeypatch):
    monkeypatch.setitem(throughput.NETWORKS, "tiny", lambda engine: ADM.random(**TINY, engine=engine))
    ways = ["official", "float32", "autocast", "fused", "graphs"]
    known = throughput.reference("tiny", "cpu", 1e11)
    return [cell for batch in (1, 2) for cell in throughput.measure("tiny", ways, batch, 1, "cpu", known)]


def test_every_way_of_a_cpu_is_timed_and_compared_with_exact_numbers(cells):
    one = ["official", "float32", "autocast", "fused"]
    assert [(c.batch, c.way) for c in cells] == [(1, way) for way in one] + [(2, way) for way in one[1:]]
    assert all(c.seconds > 0 and 0 < c.rate < 1 and 0 <= c.outside < 1 for c in cells)
    for cell in cells:
        assert cell.epsilon_error < (1e-5 if cell.way in ("official", "float32") else 0.05)
        assert cell.gradient_error < (1e-5 if cell.way in ("official", "float32") else 0.05)


def test_the_table_has_a_line_a_cell_and_says_what_does_not_fit(cells):
    table = throughput.markdown([*cells, throughput.Measured("tiny", "fused", 64, None)], 1e11, "cpu")
    lines = table.splitlines()[4:]
    assert len(lines) == len(cells) + 1
    assert lines[0].split(" | ")[4] == "1"  # the official way is its own measure
    assert lines[-1].startswith("| tiny | 64 | fused | does not fit |")


def test_a_way_that_goes_wrong_is_said_and_the_others_are_measured(cells, monkeypatch, capsys):
    monkeypatch.setitem(throughput.WAYS, "wrong", throughput.Way(lambda: 1 / 0))
    known = throughput.reference("tiny", "cpu", 1e11)
    assert [cell.way for cell in throughput.measure("tiny", ["wrong", "float32"], 1, 1, "cpu", known)] == ["float32"]
    assert "tiny, batch 1, wrong: ZeroDivisionError" in capsys.readouterr().err


def test_operations_are_those_of_a_forward_and_a_backward_pass():
    operations = throughput.reference("portraits", "cpu", 1.0).operations
    # a convolution of 3x3 from 3 to 48 channels at 64x64 alone has 2·9·3·48·4096 forward
    assert operations > 2 * (2 * 9 * 3 * 48 * 4096)
    assert operations == pytest.approx(2 * 4.6e9, rel=0.5)
