"""New processes find the libraries imported, and nothing that this one did."""

from __future__ import annotations

import multiprocessing
import sys

import pytest

from dsg.comparison.warm_processes import LIBRARIES, warm_processes

TELL = """
import sys
torch = sys.modules.get("torch")
told = {"modules": sorted(sys.modules), "cuda": bool(torch and torch.cuda.is_initialized())}
connection.send(told)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each imports them itself")
def test_a_new_process_has_the_libraries_none_of_this_code_and_no_gpu():
    processes = warm_processes()
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=exec, args=(TELL, {"connection": there}))
    process.start()
    there.close()
    told = here.recv()
    process.join()
    assert process.exitcode == 0
    assert set(LIBRARIES) <= set(told["modules"])  # what cannot be imported is passed over without a word
    assert not {"dsg", "tasks", "callbacks", "train_free_eval"} & set(told["modules"])
    assert not told["cuda"]


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_a_process_begins_with_nothing(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    assert warm_processes() is multiprocessing.get_context("spawn")
