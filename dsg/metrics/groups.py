"""Groups of classes that are measured apart: head, medium and tail of a long-tailed set, or whatever has a name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dsg.errors import UserError

NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class ClassGroups:
    """Which classes belong together, each to one group at most.

    Args:
        classes: name of each group, which ends the names of its metrics → its classes, from 0 on.
        option: what to name in errors.

    Raises:
        UserError: without groups, for an empty one, a name that ends no metric, and a class that is negative or there
            twice.
    """

    classes: Mapping[str, Sequence[int]]
    option: str = "groups"
    _of: dict[int, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.classes:
            raise UserError(f"{self.option}: names no group; give each its classes, as {{head: [0, 1], tail: [2]}}")
        for name, classes in self.classes.items():
            if not NAME.fullmatch(name):
                raise UserError(f"{self.option}: {name!r} cannot end a metric's name; take small letters, digits and _")
            if not classes:
                raise UserError(f"{self.option}: the group {name} has no class; give it one, or leave it out")
            for label in classes:
                if label < 0:
                    raise UserError(f"{self.option}: {name} has the class {label}; classes are numbered from 0 on")
                if label in self._of:
                    raise UserError(f"{self.option}: class {label} is in {self._of[label]} and in {name}; choose one")
                self._of[label] = name

    def of(self, label: int) -> str | None:
        """The group of a class; None where it is in none."""
        return self._of.get(label)

    @property
    def largest(self) -> int:
        """The largest class that is in a group."""
        return max(self._of)
