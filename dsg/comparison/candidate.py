"""The values that a method is tuned over."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dsg.errors import UserError


@dataclass(frozen=True)
class Candidate:
    """Values for the keys that a method tunes, by dotted key; none for a method without parameters."""

    values: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        names = [key.rsplit(".", 1)[-1] for key, _ in self.values]
        keys = names if len(set(names)) == len(names) else [key for key, _ in self.values]
        return ",".join(f"{key}={short(value)}" for key, (_, value) in zip(keys, self.values, strict=True))

    def __hash__(self) -> int:
        return hash(repr(self.values))  # a value may be a class with its arguments

    @property
    def folder(self) -> str:
        """The values as a folder's name, without what some system forbids there."""
        return re.sub(r'[/\\:*?"<>|]', "_", str(self))

    def __getitem__(self, key: str) -> Any:
        return dict(self.values)[key]

    def moved(self, key: str, value: Any) -> Candidate:
        """This candidate with another value of one key."""
        return Candidate(tuple((k, value if k == key else v) for k, v in self.values))


@dataclass(frozen=True)
class Axis:
    """The values of one key that tuning begins with.

    Args:
        key: dotted.
        values: in any order, at least one.
        least: the parameter's own limit, which is no end of the grid; None where a smaller value may be better.
        most: likewise, upwards.
    """

    key: str
    values: tuple[Any, ...]
    least: float | None = None
    most: float | None = None

    @classmethod
    def read(cls, where: str, key: str, stated: Any) -> Axis:
        """From `[values]` or `{values: [...], least: ..., most: ...}`. Raises UserError for anything else."""
        section: Any = {"values": stated} if isinstance(stated, list) else stated
        if not isinstance(section, dict) or not isinstance(values := section.get("values"), list) or not values:
            raise UserError(f"{where}.{key}: must be [values], or values, least and most; got {stated!r}")
        if unknown := sorted(section.keys() - {"values", "least", "most"}):
            raise UserError(f"{where}.{key}.{unknown[0]}: no such key; there are values, least, most")
        numbers = [_as_number(value) for value in values]
        values = values if None in numbers else numbers
        if len({short(value) for value in values}) < len(values) or any(values.count(value) > 1 for value in values):
            raise UserError(f"{where}.{key}: holds a value twice: {values}; name each once")
        axis = cls(key, tuple(values), section.get("least"), section.get("most"))
        limits = [limit for limit in (axis.least, axis.most) if limit is not None]
        if (limits and not axis.is_numeric) or not all(_is_number(limit) for limit in limits):
            raise UserError(f"{where}.{key}: least and most are limits of numbers; got {stated!r}")
        outside = [v for v in values if limits and axis._limited(v) != v]
        if outside:
            raise UserError(f"{where}.{key}: {outside[0]} is beyond its own limit, {axis._limited(outside[0])}")
        return axis

    @property
    def is_numeric(self) -> bool:
        return all(_is_number(value) for value in self.values)

    def beyond(self, tried: Iterable[Any], upwards: bool) -> float | int | None:
        """The next value outside `tried`: by the ratio of the last two, or by their difference where one is not
        positive; twice or half of a lone value. None where the parameter ends.
        """
        ends = sorted(set(tried), reverse=not upwards)
        end, inner = ends[-1], ends[-2] if len(ends) > 1 else None
        if end > 0 and (inner is None or inner > 0):
            found = end * (end / inner) if inner is not None else end * (2.0 if upwards else 0.5)
        elif inner is not None:
            found = end + (end - inner)
        else:
            return None
        whole = all(isinstance(value, int) for value in self.values) and found == int(found)
        limited = self._limited(int(found) if whole else float(f"{found:.3g}"))  # to three digits: it names a folder
        return limited if (limited > end if upwards else limited < end) else None

    def is_limit(self, value: Any) -> bool:
        """Whether the parameter itself ends at `value`."""
        return value in (self.least, self.most)

    def _limited(self, value: Any) -> Any:
        if self.least is not None:
            value = max(value, self.least)
        return value if self.most is None else min(value, self.most)


def product(axes: Sequence[Axis]) -> list[Candidate]:
    """Every combination of the values that tuning begins with; one empty candidate where there is nothing to tune."""
    keys = [axis.key for axis in axes]
    chosen = itertools.product(*(axis.values for axis in axes))
    return [Candidate(tuple(zip(keys, values, strict=True))) for values in chosen]


def ends(candidate: Candidate, tried: Iterable[Candidate], axes: Sequence[Axis]) -> list[tuple[Axis, bool]]:
    """The (axis, upwards) along which no tried candidate lies beyond this one, the other keys being equal."""
    found = []
    tried = list(tried)
    for axis in axes:
        if not axis.is_numeric:
            continue
        value = candidate[axis.key]
        others = line(candidate, tried, axis.key)
        if not axis.is_limit(value):
            found += [(axis, upwards) for upwards in (False, True) if value == (max if upwards else min)(others)]
    return found


def line(candidate: Candidate, tried: Iterable[Candidate], key: str) -> list[Any]:
    """The tried values of one key, the other keys being this candidate's."""
    return [other[key] for other in tried if other.moved(key, candidate[key]) == candidate]


def short(value: Any) -> str:
    """A value as a folder's name has it: of a class, its own name and arguments."""
    if isinstance(value, dict) and isinstance(path := value.get("class_path"), str):
        arguments = ", ".join(f"{name}={short(own)}" for name, own in (value.get("init_args") or {}).items())
        return path.rsplit(".", 1)[-1] + (f"({arguments})" if arguments else "")
    return str(value)


def _as_number(value: Any) -> float | int | None:
    """A number, also one that YAML takes for a text, as 1e-3; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
