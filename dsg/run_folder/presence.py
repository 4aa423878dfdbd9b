"""Which processes share a folder at the moment, without a server or locks.

<n>/<token>.json         of each that takes part: that it lives (`dsg.run_folder.others`)
<n>/<token>.terms        what the others must have in common with it
<n>/claims/              what each of them does (`dsg.run_folder.claims`)

<n> is a gathering: it begins with the first process and ends with the last, and what was done in one counts for nothing
in the next. A folder that is ready is moved to <n> by a rename, which succeeds for one process alone.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.run_folder.atomic import cannot_write, write_atomically
from dsg.run_folder.claims import newest
from dsg.run_folder.others import ENDING, PATIENCE, Others, read
from dsg.run_folder.who import Who

BEAT = 5.0
"""Seconds from beat to beat."""

Terms = Mapping[str, Any]
"""Plain values that every process of a gathering has in common."""


class Presence:
    """One process among those that share a folder.

    Args:
        folder: of the gatherings; made with the first of them.
        terms: what others must have in common with this one.
        differences: `who, theirs, ours` → in one line what differs; empty where they agree.
        tell: is told, in a line, why `join` waits.
    """

    def __init__(
        self, folder: Path, terms: Terms, differences: Callable[[Who, Terms, Terms], str], tell: Callable[[str], None]
    ) -> None:
        self.folder, self.terms, self.differences, self.tell = folder, terms, differences, tell
        self.me = Who.this_process()
        self.known = Others(self.me)
        self.gathering = folder / "0"
        self.entered = 0
        """How often it has entered a gathering: another number is another one, whatever its path."""
        self.beats = 0
        self.refused: UserError | None = None
        """Why this one cannot go on, which nobody knew when it joined."""
        self._end = threading.Event()
        self._heart = threading.Thread(target=self._live, daemon=True, name="presence")

    def join(self) -> None:
        """Take part: in the gathering that goes on, or in a new one where nobody is left of the last.

        Raises:
            UserError: if those that are there have other terms, or the folder cannot be written.
        """
        self._enter()
        self._heart.start()

    def leave(self) -> None:
        """End one's part; the last one takes the gathering away."""
        self._end.set()
        if self._heart.is_alive():
            self._heart.join()
        with contextlib.suppress(OSError):
            for file in self._own_files(self.gathering):
                file.unlink(missing_ok=True)
            if not self.others():
                shutil.rmtree(self.gathering, ignore_errors=True)
                if not newest(self.folder):
                    for left in self.folder.glob(".*"):  # by one that was killed as it began; another tries again
                        shutil.rmtree(left, ignore_errors=True)
                    self.folder.rmdir()  # which fails where somebody has begun

    def others(self) -> list[Who]:
        """Who else takes part, those that are gone aside."""
        return self._others(self.gathering)

    def belongs(self) -> bool:
        """Whether the gathering that it entered goes on with it; if not it is about to enter another."""
        files = self._own_files(self.gathering)
        return all(file.exists() for file in files) and newest(self.folder) == int(self.gathering.name)

    def _others(self, gathering: Path) -> list[Who]:
        return [who for who in self.known.with_a_file(gathering) if not self.known.gone(who)]

    def _enter(self) -> None:
        waited = False
        while not self._end.is_set():
            number = newest(self.folder)
            gathering = self.folder / str(number)
            self.known.look(gathering)
            there = self._others(gathering)
            if not there and self._begin(number + 1):
                return
            if any(self.known.lives(who) for who in there) and self._agrees_with(gathering, there):
                self._write(gathering)
                if newest(self.folder) == number:
                    return self._entered(gathering)
            elif there:
                if not waited:
                    self.tell(
                        f"waits up to {BEAT * PATIENCE:.0f} s to see whether {', '.join(map(str, there))} goes on"
                    )
                waited = True
                self._end.wait(BEAT)

    def _begin(self, number: int) -> bool:
        """Move a gathering of one's own to its place, and take those before it away; False where another was faster."""
        prepared, place = self.folder / f".{self.me.token}", self.folder / str(number)
        try:
            self._write(prepared)
            prepared.rename(place)
        except (OSError, UserError) as error:
            shutil.rmtree(prepared, ignore_errors=True)
            if newest(self.folder) >= number or FileNotFoundError in (type(error), type(error.__cause__)):
                return False  # another has begun one, or was the last and has taken the folder away
            if isinstance(error, UserError):
                raise
            raise cannot_write(place, error) from error
        self._entered(place)
        for old in self.folder.iterdir():
            if old.name.isdecimal() and int(old.name) < number:
                shutil.rmtree(old, ignore_errors=True)
        return True

    def _entered(self, gathering: Path) -> None:
        """Only now it is known that this one belongs there: from here on it claims there."""
        self.gathering = gathering
        self.entered += 1

    def _agrees_with(self, gathering: Path, there: list[Who]) -> bool:
        """Whether somebody was found who has the same terms. Raises UserError for another who has not."""
        known = {who: terms for who in there if (terms := read(self._own_files(gathering, who)[1])) is not None}
        for who, terms in known.items():
            if found := self.differences(who, terms, self.terms):
                raise UserError(found)
        return bool(known)

    def _live(self) -> None:
        while not self._end.wait(BEAT):
            with contextlib.suppress(OSError, UserError):  # of a full disk the runs will tell
                self.known.look(self.gathering)
                if not self.belongs():
                    self._return()
                self._beat(self.gathering)

    def _return(self) -> None:
        """The others had taken this one for gone, as where it was suspended, and their gathering has ended since."""
        try:
            self._enter()
        except UserError as refused:
            self.refused = refused
            self._end.set()
            raise

    def _write(self, gathering: Path) -> None:
        _, terms = self._own_files(gathering)
        write_atomically(terms, json.dumps(self.terms).encode())
        self._beat(gathering)

    def _beat(self, gathering: Path) -> None:
        self.beats += 1
        own, _ = self._own_files(gathering)
        write_atomically(own, json.dumps({**self.me.as_dict(), "beat": self.beats}).encode())

    def _own_files(self, gathering: Path, who: Who | None = None) -> tuple[Path, Path]:
        token = (who or self.me).token
        return gathering / f"{token}{ENDING}", gathering / f"{token}.terms"
