"""Who a process is, so that others can tell whether it is still there."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Who:
    """One process, for as long as it takes part in something.

    Args:
        token: random, so that no other has it.
        host: the machine's name, to be told.
        pid: its process id there.
        machine: where process ids mean the same as here; empty where nobody can tell.
        born: when the process began, in the machine's own ticks: a process id is used again.
    """

    token: str
    host: str = "unknown"
    pid: int = 0
    machine: str = ""
    born: str = ""

    @classmethod
    def this_process(cls) -> Who:
        pid = os.getpid()
        return cls(secrets.token_hex(8), socket.gethostname(), pid, _machine(), _born(pid) or "")

    @classmethod
    def read(cls, found: Mapping[str, Any], token: str = "") -> Who:
        """Of what `as_dict` gave; what is missing or of another kind, as in a file that was cut short, is unknown, and
        `token` stands for a missing one.
        """
        kinds = {"token": str, "host": str, "pid": int, "machine": str, "born": str}
        known: dict[str, Any] = {"token": token}
        return cls(**known | {name: found[name] for name, kind in kinds.items() if type(found.get(name)) is kind})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.host} (process {self.pid})"

    @property
    def is_known(self) -> bool:
        """Whether it is a process of this machine, so that `has_ended` tells the truth either way."""
        return bool(self.machine and self.born) and self.machine == _machine()

    def has_ended(self) -> bool:
        """Whether it is known to be there no more: of a process of another machine never."""
        return self.is_known and _born(self.pid) != self.born


@cache
def _machine() -> str:
    """The running system and its space of process ids, of which a container has its own. Linux alone tells both."""
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{booted} {os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116, the link leads to no file
    except OSError:
        return ""


def _born(pid: int) -> str | None:
    """When the process began; None if there is none, or its parent alone still keeps its number."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        state, *fields = told.rpartition(")")[2].split()  # behind the command's name, which may hold anything
    except (OSError, ValueError):
        return None
    return None if state in "ZXx" else fields[18]
