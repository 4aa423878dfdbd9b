"""Who does what, where several processes share a folder and nothing else.

<name>/<n>               the n-th claim on `name`: whose it is, and what became of it

A claim is made by creating its file where there is none, which is atomic on every file system that hosts share, with
locks or without. No claim is ever taken away from whom it belongs to: whoever takes over from one that is gone makes
the next number, and of several that try exactly one succeeds. The highest number counts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.run_folder.atomic import cannot_write, write_atomically
from dsg.run_folder.others import read
from dsg.run_folder.who import Who

HELD, DONE, FREE = "held", "done", "free"

NOBODY = Who("")


@dataclass(frozen=True)
class Claim:
    """What the highest claim on a name says.

    Args:
        number: of the claim; 0 where nobody has made one.
        state: `held`, `done`, or `free`: given back, or never made.
        by: whose it is, or was.
    """

    number: int = 0
    state: str = FREE
    by: Who = NOBODY


class Claims:
    """The claims in a folder, as one process sees and makes them.

    Args:
        folder: where their files are; made with the first of them.
        me: who makes them.
        gone: whether another is gone for good, as far as this process knows.
    """

    def __init__(self, folder: Path, me: Who, gone: Callable[[Who], bool]) -> None:
        self.folder, self.me, self.gone = folder, me, gone
        self.held: dict[str, int] = {}

    def look(self, name: str) -> Claim:
        """The claim on `name` that counts."""
        number = newest(self.folder / name)
        if not number:
            return Claim()
        found = read(self.folder / name / str(number)) or {}  # none: its maker is writing it, or was killed before
        state = found.get("state")
        by = Who.read(found, token=f"{name}/{number}")  # of nobody the silence is counted for this claim alone
        return Claim(number, state if state in (DONE, FREE) else HELD, by)

    def can_take(self, claim: Claim) -> bool:
        """Whether nobody is at it: it is free, or whose it is has gone."""
        return claim.state == FREE or (claim.state == HELD and claim.by.token != self.me.token and self.gone(claim.by))

    def take(self, name: str, after: Claim) -> bool:
        """Make the claim that follows `after`, the one that was looked at; False where another was faster.

        Raises:
            UserError: if it cannot be written.
        """
        number = after.number + 1
        file = self.folder / name / str(number)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as handle:
                handle.write(self._content(HELD))
                handle.flush()
                os.fsync(handle.fileno())
        except FileExistsError:
            return False
        except FileNotFoundError:  # whoever was last has just tidied up
            return False
        except OSError as error:
            raise cannot_write(file, error) from error
        self.held[name] = number
        return True

    def move(self, folder: Path) -> None:
        """Go on in another folder, and claim there what is held here, unless somebody else has."""
        held, self.held, self.folder = list(self.held), {}, folder
        for name in held:
            if self.can_take(claim := self.look(name)):
                self.take(name, claim)

    def done(self, name: str) -> None:
        """Say that what was claimed is done. Of a claim that another has taken over meanwhile nothing is changed."""
        self._say(name, DONE)

    def free(self, name: str) -> None:
        """Let others have what was claimed."""
        self._say(name, FREE)

    def give_back(self) -> None:
        """Let others have at once all that is held; where that cannot be written, they have to find out themselves."""
        for name in list(self.held):
            with contextlib.suppress(UserError):
                self._say(name, FREE)

    def _say(self, name: str, state: str) -> None:
        number = self.held.pop(name, 0)
        if number and newest(self.folder / name) == number:  # of a folder that is gone it is not
            write_atomically(self.folder / name / str(number), self._content(state))

    def _content(self, state: str) -> bytes:
        content: dict[str, Any] = {"state": state, **self.me.as_dict()}
        return json.dumps(content).encode()


def newest(folder: Path) -> int:
    """The highest number that something in `folder` is named by; 0 where there is none."""
    try:
        return max((int(name) for name in os.listdir(folder) if name.isdecimal()), default=0)  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return 0
