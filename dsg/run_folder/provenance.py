"""Which start made which rows, with which code, versions, weights and machine.

provenance.jsonl         a line a start, appended before its first row; a row's `start` is the number of its line
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dsg.run_folder.lines import append_lines, read_lines

PROVENANCE = "provenance.jsonl"

Start = Mapping[str, Any]
"""One start's number, `start`, and what is known of it: `time`, `code`, `versions`, `device`, `weights`, ..."""

# what differs from start to start and no result depends on; another commit of the same sources is the same code
UNIMPORTANT = frozenset(
    {"start", "time", "processes", "batch_size", "code.git", "device.count", "device.threads", "device.cpu"}
)


class Provenance:
    """The starts of a run folder.

    Args:
        folder: the run folder; made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / PROVENANCE

    def append(self, start: Start) -> None:
        """Append a start, and wait until it is on the disk."""
        append_lines(self.path, [start])

    def starts(self) -> list[Start]:
        """Every start that can be read, by number; none of a run folder of before they were recorded."""
        if not self.path.is_file():
            return []
        found = {start["start"]: start for start in read_lines(self.path) if type(start.get("start")) is int}
        return [found[number] for number in sorted(found)]

    def next(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """The number of the start that begins now: after all that made `rows`, also where their line was lost."""
        numbers = [number for row in rows if (number := _number(row)) is not None]
        return 1 + max([start["start"] for start in self.starts()] + numbers, default=0)

    def made(self, rows: Sequence[Mapping[str, Any]]) -> list[Start]:
        """The starts that made `rows`."""
        numbers = {_number(row) for row in rows}
        return [start for start in self.starts() if start["start"] in numbers]

    def batch_size(self, rows: Sequence[Mapping[str, Any]]) -> int | None:
        """What the last start that made any of `rows` found for `data.batch_size: auto`; None where none looked."""
        return next((size for start in reversed(self.made(rows)) if (size := start.get("batch_size_found"))), None)

    def made_all(self, rows: Sequence[Mapping[str, Any]]) -> list[Start]:
        """The starts that made `rows`, and the last, which made the summary of them."""
        starts = self.starts()
        last = starts[-1:]
        return [start for start in self.made(rows) if start not in last] + last

    def unrecorded(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """How many of `rows` nobody knows the start of."""
        known = {start["start"] for start in self.starts()}
        return sum(_number(row) not in known for row in rows)

    def summary(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """For metrics.json: how many `starts` there were; dotted key: values, of what `changed` between those that made
        `rows` and the summary; and how many rows are of an `unrecorded` start, if any.
        """
        found: dict[str, Any] = {"starts": len(self.starts()), "changed": differences(self.made_all(rows))}
        unrecorded = self.unrecorded(rows)
        return found | ({"unrecorded": unrecorded} if unrecorded else {})


def differences(starts: Sequence[Start]) -> dict[str, list[Any]]:
    """Dotted key: its values, in their order and each once, of what results may depend on and is not the same in all.

    A key that a start does not have, for example of a library that it did not ask about, is not known to differ.
    """
    values: dict[str, list[Any]] = {}
    for start in starts:
        for key, value in facts(start):
            if value not in values.setdefault(key, []):
                values[key].append(value)
    found = {key: known for key, known in values.items() if len(known) > 1}
    kept = {key: known for key, known in found.items() if key not in UNIMPORTANT}
    if "code.sources" in kept and "code.git" in found:
        kept = {"code.git": found["code.git"], **kept}
    return kept


def facts(start: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of a start, at any depth."""
    if not isinstance(start, Mapping):
        yield key, start
        return
    for name, value in start.items():
        yield from facts(value, f"{key}.{name}" if key else str(name))


def in_words(changed: Mapping[str, Sequence[Any]]) -> str:
    """`differences` in one line; of a hash the first digits."""
    return "; ".join(f"{key} {', '.join(map(short, values))}" for key, values in changed.items())


def short(value: Any) -> str:
    """A value in words, a hash by its first digits."""
    text = "none" if value is None else str(value)
    return text[:19] if text.startswith("sha256:") else text


def _number(row: Mapping[str, Any]) -> int | None:
    """Of a row of the journal or of per_image.csv; None in a run folder of before starts were recorded."""
    return int(row["start"]) if str(row.get("start") or "").isdecimal() else None
