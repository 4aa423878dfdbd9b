"""One run at a time in a folder."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import IO

from dsg.errors import UserError

try:
    import fcntl
except ImportError:  # not on every platform
    fcntl = None


LOCK = ".lock"
"""The lock's file in a run folder."""


class Lock:
    """A lock on a file that the system takes back when its process ends, however that ends.

    A record lock, not `flock`: processes that read ahead would inherit that, and outlive their killed parent for some
    seconds. It spares two runs the same work; a run is safe without it, for it writes whole files of the same content.
    So a file system or platform that has no locks, or a folder that cannot be written, is no error here.

    Args:
        file: there while a run goes on, and after one that was killed; it says who has the lock, or had it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._handle: IO[str] | None = None

    def take(self) -> None:
        """Take the lock, or raise UserError if another process has it."""
        if fcntl is None or self._handle is not None:
            return
        while True:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                handle = self.file.open("a+", encoding="utf-8")
            except OSError:
                return
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:
                with handle:
                    handle.seek(0)
                    owner = handle.read().strip() or "unknown"
                raise UserError(
                    f"run_dir: {self.file.parent} is in use by another run (process {owner}); "
                    "wait until it has ended, or choose another run_dir"
                ) from error
            except OSError:
                handle.close()
                return
            if _is_still(handle, self.file):
                self._handle = handle
                return self._sign()
            handle.close()  # its owner took it away in between

    def _sign(self) -> None:
        assert self._handle is not None
        try:
            self._handle.truncate(0)
            self._handle.write(f"{os.getpid()} on {socket.gethostname()}\n")
            self._handle.flush()
        except OSError:  # the disk is full: the next file that is written says so
            return

    def release(self) -> None:
        """Give the lock back, and take the file away; nothing of a lock that was not taken."""
        if self._handle is not None:
            with contextlib.suppress(OSError):  # what could not be flushed before
                if _is_still(self._handle, self.file):
                    self.file.unlink()
                self._handle.close()
            self._handle = None


def _is_still(handle: IO[str], file: Path) -> bool:
    """Whether the open file is the one that the path leads to."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), file.stat())
    except FileNotFoundError:
        return False
