"""What a submission holds and of which kind, so that one from anybody is refused in a line and not in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SUBMISSION = {"suite": dict, "made": list, "cells": dict, "methods": dict}
SUITE = {"name": str, "version": int, "hash": str, "chapters": dict}
METHOD = {"class_path": str, "about": str, "link": str, "states": dict, "results": dict}
RESULT = {"chosen": str, "tried": int, "noisy": bool, "rows": list, "overall": dict, "unavailable": dict,
          "made": list, "unrecorded": int}  # fmt: skip


def misshapen(found: Any) -> str:
    """The first thing that is not as it should be, in words; empty if all is."""
    return next(_complaints(found), "")


def _complaints(found: Any) -> Iterator[str]:
    yield from _lacks("", found, SUBMISSION)
    yield from _lacks("suite.", found["suite"], SUITE)
    for chapter, entry in found["suite"]["chapters"].items():
        yield from _lacks(f"suite.chapters.{chapter}.", entry, {"title": str, "comparison": dict})
        yield from _lacks(f"suite.chapters.{chapter}.comparison.", entry["comparison"], {"tasks": dict, "tuning": dict})
        budget = entry["comparison"]["tuning"].get("budget")
        yield from _lacks(f"suite.chapters.{chapter}.comparison.tuning.budget.", budget, {"candidates": int})
    yield from (f"made.{i}" for i, start in enumerate(found["made"]) if not isinstance(start, dict))
    yield from _not_nested("methods", found["methods"], 1)
    yield from _not_nested("cells", found["cells"], 4)
    for place, of in _leaves(found["cells"], 3):
        if not of or not all(isinstance(name, str) for name in of.values()):
            yield f"cells.{place}"
    for name, method in found["methods"].items():
        yield from _lacks(f"methods.{name}.", method, METHOD)
        yield from _not_nested(f"methods.{name}.results", method["results"], 4)
        for place, result in _leaves(method["results"], 3):
            if not isinstance(result.get("unfit"), str):
                yield from _lacks(f"methods.{name}.results.{place}.", result, RESULT)
                if not result["tried"] >= 0 or not all(_is_a_metric(of) for of in result["overall"].values()):
                    yield f"methods.{name}.results.{place}"
                if "run" in result:
                    yield from _lacks(f"methods.{name}.results.{place}.", result, {"run": str, "files": dict})


def _is_a_metric(found: Any) -> bool:
    """Whether it is as in metrics.json: numbers by name, null where there is none."""
    return isinstance(found, dict) and all(of is None or isinstance(of, int | float) for of in found.values())


def _lacks(where: str, found: Any, kinds: Mapping[str, type]) -> Iterator[str]:
    if not isinstance(found, dict):
        yield where.rstrip(".")
        return
    yield from (where + key for key, kind in kinds.items() if not isinstance(found.get(key), kind))


def _not_nested(where: str, found: Any, depth: int) -> Iterator[str]:
    """Where there are not mappings in mappings, `depth` of them."""
    if not isinstance(found, dict):
        yield where
    elif depth > 1:
        for key, value in found.items():
            yield from _not_nested(f"{where}.{key}", value, depth - 1)


def _leaves(found: Mapping[str, Any], depth: int, place: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of what is `depth` mappings below."""
    for key, value in found.items():
        if depth == 1:
            yield f"{place}{key}", value
        else:
            yield from _leaves(value, depth - 1, f"{place}{key}.")
