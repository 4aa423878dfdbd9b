"""Processes that find the libraries imported."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

LIBRARIES = ("lightning.pytorch.cli", "torch.utils.tensorboard", "matplotlib")
"""What takes seconds to import, and is nobody's own code; none of it asks for a GPU, as a test holds it to."""

ENDING = (signal.SIGTERM, signal.SIGINT)


def warm_processes() -> BaseContext:
    """How to start processes that may use CUDA whatever this one has done, which a copy of this one could not.

    On Linux one process imports `LIBRARIES` and from then on only copies itself, so that all but the first start in
    half a second instead of six. Elsewhere each begins with nothing: macOS ends a process that was copied with its
    frameworks loaded.

    A signal to all processes of a command, as of Ctrl-C, `timeout` or a batch system, does not reach the one that
    copies itself: whoever started the copies would lose sight of them. The copies call `hear_signals` first.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LIBRARIES))
    resource_tracker.ensure_running()  # it lets signals through, and would do so below
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        forkserver.ensure_running()  # which inherits what is blocked
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def hear_signals() -> None:
    """In a copy, before anything else: it is ended by signals as any process is."""
    if sys.platform == "linux":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def end_with_parent() -> None:
    """In a copy: end at once where the process that asked for it is gone, even if killed.

    It would else go on, and do what another host has taken over by then. Its files are whole whenever it ends.
    """
    threading.Thread(target=_follow, daemon=True, name="follows its parent").start()


def _follow() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
