"""Runs on systems that lack what Linux has; it is taken away here."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest
from lightning.pytorch.trainer.connectors import signal_connector

from callbacks import Watch
from dsg.comparison.grid import Candidate
from dsg.module import device
from dsg.run_folder import lock


@pytest.fixture
def windows(monkeypatch):
    """No record locks, no account of resources, no affinity, fewer signals."""
    monkeypatch.setattr(lock, "fcntl", None, raising=False)
    monkeypatch.setattr(device, "resource", None)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(signal, "SIGUSR1")
    monkeypatch.setattr(signal, "valid_signals", lambda: {signal.SIGINT, signal.SIGTERM})
    monkeypatch.setattr(signal_connector, "_IS_WINDOWS", True)  # Lightning looks once, when it is imported


@pytest.mark.usefixtures("windows")
def test_a_run_goes_through_and_continues(evaluate, tmp_path):
    assert evaluate("--data.limit", 1) == 0
    assert evaluate("--data.limit", 2) == 0
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == ["a.png", "b.png"]


@pytest.mark.usefixtures("windows")
def test_sigterm_ends_a_run_where_it_is_the_only_signal():
    before = signal.getsignal(signal.SIGTERM)
    try:
        Watch()._handle_signals()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(("module", "missing"), [(lock, "fcntl"), (device, "resource")])
def test_a_module_that_a_system_lacks_is_no_error_at_import(monkeypatch, module, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    spec = importlib.util.spec_from_file_location("imported_elsewhere", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(there := importlib.util.module_from_spec(spec))
    assert getattr(there, missing) is None


def test_values_make_a_folders_name_that_every_system_takes(tmp_path):
    name = Candidate((("model.guidance.base", {"class_path": "a/b:c"}), ("x", 'q?"<|>*\\'))).folder
    assert not set(name) & set('/\\:*?"<>|')
    assert Candidate((("step_size", 8.0),)).folder == "step_size=8.0"
    assert Path(tmp_path, name).name == name
