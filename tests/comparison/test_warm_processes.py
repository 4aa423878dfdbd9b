"""New processes find the libraries imported, and nothing that this one did."""

from __future__ import annotations

import multiprocessing
import os
import signal
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


LIVE = """
import os, time
from dsg.comparison.warm_processes import hear_signals
hear_signals()
connection.send(os.getppid())
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody copies itself")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_ends_the_copies_and_not_the_one_that_copies_itself(number):
    processes = warm_processes()
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=exec, args=(LIVE, {"connection": there}))
    process.start()
    copied = here.recv()
    os.kill(copied, number)
    os.kill(process.pid, number)
    process.join(30)
    assert process.exitcode not in (0, None)  # its end is told by the one that copies itself
    again = processes.Process(target=exec, args=(TELL, {"connection": there}))
    again.start()
    assert here.recv()["cuda"] is False
    again.join()
    os.kill(copied, 0)  # it is there


WAIT = """
import time
from dsg.comparison.warm_processes import end_with_parent
end_with_parent()
connection.send("there")
time.sleep(60)
"""

BEGIN = """
import multiprocessing
copies = multiprocessing.get_context("forkserver")
copies.set_forkserver_preload([])
process = copies.Process(target=exec, args=(wait, {"connection": connection}))
process.start()
connection.close()
process.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody copies itself")
def test_a_copy_ends_with_the_process_that_asked_for_it_also_when_that_is_killed():
    processes = warm_processes()
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=exec, args=(BEGIN, {"connection": there, "wait": WAIT}))
    process.start()
    there.close()
    assert here.recv() == "there"
    process.kill()
    assert here.poll(30)
    with pytest.raises(EOFError):  # nobody is left to send anything
        here.recv()
