"""The hosts of a comparison: each takes the next run that nobody has, in one order and by claims in their folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from dsg.comparison.grid import PlannedRun
from dsg.comparison.terms import other_terms
from dsg.run_folder.claims import DONE, HELD, Claim, Claims
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.others import PATIENCE
from dsg.run_folder.presence import Presence
from dsg.run_folder.who import Who

HOSTS = "hosts"
"""Their folder in that of the comparison, while any is there."""

Tell = Callable[[str], None]


class Hosts:
    """This host among those that are at the same comparison; within `with` it takes part.

    A run counts as done when one of them has been through it since the first of them began: what an earlier comparison
    finished is looked at once by one of them, which samples nothing again but failed images.

    Args:
        out_dir: the comparison's folder.
        terms: what all have in common (`terms_of`).
        tell: prints a line about the others.

    Raises:
        UserError: on entering, if another is at it with other terms.
    """

    def __init__(self, out_dir: Path, terms: dict[str, Any], tell: Tell) -> None:
        self.tell = tell
        self.presence = Presence(out_dir / HOSTS, terms, other_terms, tell)
        self.claims = Claims(self.presence.gathering, self.presence.me, self.presence.known.gone)
        self._entered = 0
        self._others: dict[str, Who] = {}
        self._been_through: set[str] = set()
        self._noticed: dict[tuple[str, str], int] = {}
        self._waiting = ""

    def __enter__(self) -> Hosts:
        try:
            self.presence.join()
        except BaseException:  # also Ctrl-C: nobody is to wait for this one
            self.presence.leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.claims.give_back()
        self.presence.leave()

    def share(
        self, runs: Iterable[PlannedRun], told: Callable[[PlannedRun, Who, bool], None]
    ) -> Iterator[PlannedRun | None]:
        """This host's part of `runs`, each when it is asked for; None while others have all that is left, which may
        come to this one yet. It ends when every run is done, whoever did it.

        Args:
            runs: the same, in the same order, on every host.
            told: of each that another host has done: the run, that host, and whether it was done before this began.
        """
        left = {run.name: run for run in runs}
        self._follow()
        before = {name for name in left if self.claims.look(name).state == DONE}
        while left:
            self._follow()
            if not self.presence.belongs():  # it was suspended, and what it sees is of the past
                yield None
                continue
            taken = None
            for name, run in list(left.items()):
                claim = self.claims.look(name)
                if claim.state == DONE and name in self._been_through:
                    del left[name]
                elif claim.state == DONE and RunFolder(run.folder).is_finished():
                    del left[name]
                    told(run, claim.by, name in before)
                elif self._may_take(run, claim) and self.claims.take(name, claim):
                    if claim.state == HELD:
                        self.tell(f"{claim.by} is gone; takes over {name}")
                    taken = run
                    break
            if left:
                if taken is None and not self.claims.held:
                    self._tell_waiting(left)
                yield taken

    def done(self, run: PlannedRun) -> None:
        """Say that this host has been through `run`."""
        self._follow()
        self._been_through.add(run.name)
        self.claims.done(run.name)

    def give_back(self, run: PlannedRun) -> None:
        """Say that this host has not been through `run`, whose folder another has."""
        self.claims.free(run.name)

    def _may_take(self, run: PlannedRun, claim: Claim) -> bool:
        if claim.state == DONE:  # and its files are not to be seen: of another host's it may take a while
            return self._for_long("absent", run.name)
        if not self.claims.can_take(claim):
            return False
        if why := RunFolder(run.folder).in_use():  # of a process that was suspended, or is just ending
            if self._for_long("in use", run.name):
                self.tell(f"waits for {run.name}: {why}")
                self._noticed["in use", run.name] = self.presence.beats + 10 * PATIENCE
            return False
        return True

    def _for_long(self, what: str, name: str) -> bool:
        """Whether it has been so for as many beats as another may be silent."""
        return self.presence.beats - self._noticed.setdefault((what, name), self.presence.beats) > PATIENCE

    def _follow(self) -> None:
        """Know who is there, and tell who came and went."""
        if self.presence.refused:
            raise self.presence.refused
        if self._entered != self.presence.entered:
            self._entered = self.presence.entered
            self.claims.move(self.presence.gathering / "claims")
        now = {who.token: who for who in self.presence.others()}
        for token in now.keys() - self._others.keys():
            self.tell(f"{now[token]} takes part")
        for token in self._others.keys() - now.keys():
            self.tell(f"{self._others[token]} takes part no more")
        self._others = now

    def _tell_waiting(self, left: Iterable[str]) -> None:
        at = [f"{name} of {claim.by}" for name in left if (claim := self.claims.look(name)).state == HELD]
        if (said := f"waits for {', '.join(at)}") != self._waiting and at:
            self._waiting = said
            self.tell(said)
