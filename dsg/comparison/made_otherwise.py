"""Which runs of a comparison were not made like the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dsg.comparison.grid import Cell
from dsg.metrics.results import Results
from dsg.run_folder.provenance import differences, facts, short

COMMON = ("code.git", "code.sources", "versions.", "system", "device.")
"""What the runs of a comparison should have in common; models, and methods of one's own, differ by intent."""


@dataclass(frozen=True)
class MadeOtherwise:
    """What is behind a mark in the table.

    Args:
        cells: the runs that were not made like most, or by starts that differ from each other.
        what: in what the runs differ, and how many have which; empty where all are alike.
    """

    cells: frozenset[Cell] = field(default_factory=frozenset)
    what: str = ""


def made_otherwise(results: Mapping[Cell, Results]) -> MadeOtherwise:
    """Compare what made the samples of each run with what made those of the others.

    Of what they should have in common a value is usual if most runs have it. Marked is a run of which any start has an
    unusual one, or whose own starts differ in anything at all; and where some runs have no record, those.
    """
    every = [start for result in results.values() for start in result.starts]
    keys = [key for key in differences(every) if key.startswith(COMMON)]
    values = {cell: _values(result.starts, keys) for cell, result in results.items()}
    counts = {key: Counter(value for found in values.values() for value in found[key]) for key in keys}
    phrases = [f"{key} {', '.join(_counted(count))}" for key, count in counts.items()]
    usual = {key: count.most_common(1)[0][0] for key, count in counts.items()}
    marked = {cell for cell, found in values.items() if any(set(found[key]) - {usual[key]} for key in keys)}
    changed = {cell: differences(result.starts) for cell, result in results.items()}
    for key in sorted({key for found in changed.values() for key in found} - set(keys)):
        here = {cell for cell, found in changed.items() if key in found}
        phrases.append(f"{key} changed between the starts of {_runs(len(here))}")
    marked |= {cell for cell, found in changed.items() if found}
    unknown = {cell for cell, result in results.items() if result.unrecorded}
    if len(unknown) < len(results):
        marked |= unknown
        phrases += [f"what made {_runs(len(unknown))} is not recorded"] * bool(unknown)
    return MadeOtherwise(frozenset(marked), "; ".join(phrases))


def _values(starts: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, list[str]]:
    """Key: its values in words, each once."""
    known = [dict(facts(start)) for start in starts]
    return {key: list(dict.fromkeys(short(found[key]) for found in known if key in found)) for key in keys}


def _counted(count: Counter[str]) -> list[str]:
    return [f"{value} ({_runs(number)})" for value, number in count.items()]


def _runs(number: int) -> str:
    return f"{number} run{'s' * (number != 1)}"
