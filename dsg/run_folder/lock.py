"""One run at a time in a folder."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from pathlib import Path
from typing import IO
from weakref import WeakValueDictionary

from dsg.errors import UserError

try:
    import fcntl
except ImportError:  # not on every platform
    fcntl = None


LOCK = ".lock"
"""The lock's file in a run folder."""

PATIENCE, POLL = 1.0, 0.05
"""Seconds for which a lock is waited for, since whoever has it may only be asking whether it can be had."""

_taken: WeakValueDictionary[tuple[int, int], Lock] = WeakValueDictionary()
"""(device, inode) of a folder: the lock on it that this process has; one that nobody holds any more is gone."""
_taking = threading.Lock()


class Lock:
    """A lock on a file that the system takes back when its process ends, however that ends.

    A record lock, not `flock`: processes that read ahead would inherit that, and outlive their killed parent for some
    seconds. A record lock is a process's, which may take it twice, and loses it where it closes the file once: so what
    this process has is kept in mind too, by the folder and not by its path.

    It spares two runs the same work; a run is safe without it, for it writes whole files of the same content. So a file
    system or platform that has no locks, or a folder that cannot be written, is no error here.

    Args:
        file: there while a run goes on, and after one that was killed; it says who has the lock, or had it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._handle: IO[str] | None = None
        self._folder: tuple[int, int] | None = None

    def take(self, patience: float = PATIENCE) -> None:
        """Take the lock, or raise UserError if another process has it for `patience` seconds, or a Lock of this one."""
        with _taking:
            if self._folder is not None:
                return
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                folder = _identity(self.file.parent)
            except OSError:
                return
            if folder in _taken:  # before the file is opened: to close it would give the other's lock back
                raise self._in_use("of this process")
            self._lock_file(patience)
            self._folder = folder
            _taken[folder] = self

    def _lock_file(self, patience: float) -> None:
        until = time.monotonic() + patience
        while fcntl is not None:
            try:
                handle = self.file.open("a+", encoding="utf-8")
            except OSError:
                return
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:
                with handle:
                    if time.monotonic() < until:
                        time.sleep(POLL)
                        continue
                    handle.seek(0)
                    owner = handle.read().strip() or "unknown"
                raise self._in_use(f"(process {owner})") from error
            except OSError:
                handle.close()
                return
            if _is_still(handle, self.file):
                self._handle = handle
                return self._sign()
            handle.close()  # its owner took it away in between

    def _in_use(self, by: str) -> UserError:
        return UserError(
            f"run_dir: {self.file.parent} is in use by another run {by}; wait until it has ended, or choose another "
            "run_dir"
        )

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
        with _taking:
            if self._handle is not None:
                with contextlib.suppress(OSError):  # what could not be flushed before
                    if _is_still(self._handle, self.file):
                        self.file.unlink()
                    self._handle.close()
                self._handle = None
            if self._folder is not None:
                _taken.pop(self._folder, None)
                self._folder = None


def _identity(folder: Path) -> tuple[int, int]:
    """The same by whichever path, link or mount."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def _is_still(handle: IO[str], file: Path) -> bool:
    """Whether the open file is the one that the path leads to."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), file.stat())
    except FileNotFoundError:
        return False
