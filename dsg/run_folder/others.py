"""What one of several processes sees of the others: who is there, and who is gone.

<token>.json             who it is, and a number that grows while it lives: its beats

One whose number has not changed for `PATIENCE` of *one's own* beats is gone. So no two clocks are compared: where the
file system stands still, or a laptop sleeps, nobody beats and nobody is missed. Of one's own machine a process that has
ended is seen at once.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsg.run_folder.who import Who

PATIENCE = 12
"""Beats of one's own after which another that has not beaten is gone."""

ENDING = ".json"


@dataclass
class _Seen:
    """What is known of another: its last number, for how many beats it has been that, and whether it ever grew."""

    who: Who
    beat: int | None = None
    silent: int = 0
    grew: bool = False


class Others:
    """The others, as one process knows them; safe to ask from several threads.

    Args:
        me: who looks.
    """

    def __init__(self, me: Who) -> None:
        self.me = me
        self._seen: dict[str, _Seen] = {}
        self._knowing = threading.Lock()

    def look(self, folder: Path) -> None:
        """Read every file, once a beat: of each of the others it counts whether its number has changed."""
        there = {file.stem: read(file) for file in folder.glob(f"*{ENDING}")}
        with self._knowing:
            for token, found in there.items():
                if token != self.me.token and token not in self._seen:
                    self._seen[token] = _Seen(_who(token, found))
            for token, seen in self._seen.items():
                found = there.get(token)
                beat = found.get("beat") if found else None
                if beat is None or beat == seen.beat:
                    seen.silent += 1
                    continue
                seen.grew = seen.beat is not None
                seen.beat, seen.silent, seen.who = beat, 0, _who(token, found)

    def with_a_file(self, folder: Path) -> list[Who]:
        """Whoever has a file there, also if it is gone."""
        files = (file for file in folder.glob(f"*{ENDING}") if file.stem != self.me.token)
        return [_who(file.stem, read(file)) for file in files]

    def gone(self, who: Who) -> bool:
        """Whether `who` will not go on: it has ended, or has been silent for long. From the first question on it is
        watched, also if it has no file.
        """
        if who.token == self.me.token:
            return False
        with self._knowing:
            seen = self._seen.setdefault(who.token, _Seen(who))
        return who.has_ended() or seen.silent >= PATIENCE

    def lives(self, who: Who) -> bool:
        """Whether `who` is known to be there: its number was seen to grow, or it is a process of this machine."""
        with self._knowing:
            seen = self._seen.get(who.token)
        return not self.gone(who) and (who.is_known or (seen is not None and seen.grew))


def read(file: Path) -> dict[str, Any] | None:
    """The object in a file; None where it cannot be read at the moment."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _who(token: str, found: dict[str, Any] | None) -> Who:
    return Who.read((found or {}) | {"token": token})
