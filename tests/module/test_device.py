"""The clock and the account of memory on devices and systems that are not at hand: their modules are stood in for."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from dsg.command.exit_codes import MISTAKE, explain
from dsg.module import device as module

CUDA, MPS, OTHER, CPU = (torch.device(name) for name in ("cuda", "mps", "meta", "cpu"))


class Event:
    """Its moment in milliseconds is how many there were before it."""

    recorded = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.at, Event.recorded = Event.recorded, Event.recorded + 1

    def elapsed_time(self, end: Event) -> float:
        return float(end.at - self.at)


@pytest.fixture
def stand_in(monkeypatch):
    """A device's module of some parts; what is called is listed."""

    def put(**parts):
        called: list[str] = []

        def noting(name, answer):
            return lambda *args: called.append(name) or answer

        stub = SimpleNamespace(**{n: v if isinstance(v, type) else noting(n, v) for n, v in parts.items()})
        monkeypatch.setattr(torch, "get_device_module", lambda device: stub)
        return called

    return put


@pytest.mark.parametrize("device", [CUDA, MPS])
def test_the_clock_waits_for_the_device(stand_in, device):
    called = stand_in(synchronize=None)
    module.seconds_on(device)
    assert called == ["synchronize"]


def test_the_clock_of_a_cpu_asks_no_device(stand_in):
    called = stand_in(synchronize=None)
    assert module.seconds_on(CPU) <= module.seconds_on(CPU)
    assert called == []


@pytest.mark.parametrize("device", [CUDA, MPS])
def test_time_on_a_device_is_between_events_in_its_stream_and_nobody_waits(stand_in, device):
    called = stand_in(synchronize=None, Event=Event)
    assert module.seconds_between(module.moment(device), module.moment(device)) == pytest.approx(1e-3)
    assert called == []


def test_a_device_without_events_is_waited_for(stand_in):
    called = stand_in(synchronize=None)
    assert module.seconds_between(module.moment(MPS), module.moment(MPS)) >= 0
    assert called == ["synchronize", "synchronize"]


def test_the_peak_is_that_of_the_device_where_it_keeps_account(stand_in, monkeypatch):
    called = stand_in(max_memory_allocated=5, reset_peak_memory_stats=None)
    module.reset_peak_memory(CUDA)
    assert module.peak_memory(CUDA) == 5
    assert called == ["reset_peak_memory_stats", "max_memory_allocated"]
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 7)
    assert module.peak_memory(MPS) == 7


def test_no_peak_is_told_where_nobody_keeps_account(stand_in, monkeypatch):
    stand_in()
    module.reset_peak_memory(OTHER)
    assert module.peak_memory(OTHER) is None
    monkeypatch.setattr(module, "resource", None)  # Windows
    assert module.peak_memory(CPU) is None


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_the_resident_set_is_in_the_units_of_the_system(monkeypatch, system, unit):
    usage = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: SimpleNamespace(ru_maxrss=1000))
    monkeypatch.setattr(module, "resource", usage)
    monkeypatch.setattr(sys, "platform", system)
    assert module.peak_memory(CPU) == 1000 * unit


def test_a_run_on_a_system_that_tells_no_memory_has_a_summary_without_it(evaluate, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "resource", None)
    assert evaluate("--data.limit", 2) == 0
    assert '"network_seconds"' in (summary := (tmp_path / "run" / "metrics.json").read_text())
    assert "peak_memory" not in summary


@pytest.mark.parametrize(
    "words",
    [
        "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.",
        "Trying to convert Double to the MPS backend but it does not have support for that dtype.",
    ],
)
def test_what_needs_float64_where_there_is_none_is_one_line(words):
    code, line = explain(TypeError(words))
    assert code == MISTAKE
    assert line.startswith("error: trainer.accelerator: mps has no float64")
    with pytest.raises(TypeError):
        explain(TypeError("Cannot convert a tensor to float64"))
