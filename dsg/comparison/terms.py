"""What all hosts of a comparison must have in common: its settings, the code, the libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dsg.command.code import own_code, project_code
from dsg.command.machine import versions
from dsg.comparison.grid import Grid
from dsg.run_folder.provenance import differences, in_words
from dsg.run_folder.settings import changes
from dsg.run_folder.who import Who

MOST = 5
"""Differences that are named; of the others it is told how many there are."""


def terms_of(grid: Grid) -> dict[str, Any]:
    """The merged settings, and which code and libraries would make the runs, as plain values.

    Which GPU or processor does is not among them: the table marks what that changes (§).
    """
    settings = {**grid.shared, "comparison": asdict(grid.comparison)}
    try:
        own = own_code(settings)
    except Exception:  # a file with a mistake in it, which the check of the runs tells before anything is sampled
        own = {}
    made_by = {"code": {**project_code(), "own": own}, "versions": versions()}
    return json.loads(json.dumps({"settings": settings, "made_by": made_by}, default=str))


def other_terms(who: Who, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Why this host may not take part in the comparison that `who` is at, in a line; empty where it may."""
    mend = "or give this one another --out_dir"
    if found := list(changes(theirs.get("settings"), ours["settings"], ignored=())):
        more = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
        said = "; ".join(found[:MOST])
        return f"--out_dir: {who} is comparing there with other settings: {said}{more}; use the same, {mend}"
    if made := differences([theirs.get("made_by", {}), ours["made_by"]]):
        return (
            f"--out_dir: {who} is comparing there with other code or libraries: {in_words(made)}; use the same, {mend}"
        )
    return ""
