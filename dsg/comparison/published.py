"""The `published` part of a comparison: what papers state of its runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from dsg.command.merge import Settings
from dsg.errors import UserError
from dsg.metrics.published import Published

PLACE = "comparison.published"
FORM = "`task: {method: {metric: {value: 39.35, source: '2209.14687, Table 1'}}}`"
KEYS = ("value", "source", "variant", "setting")


@dataclass(frozen=True)
class PublishedNumber:
    """What a paper states of one metric of one run of the comparison."""

    task: str
    method: str
    setting: str
    metric: str
    number: Published


def read_published(
    section: Any,
    tasks: Collection[str],
    methods: Collection[str],
    settings: Collection[str],
    metrics_of: Callable[[str], Sequence[str]],
) -> list[PublishedNumber]:
    """The numbers of `task: {method: {metric: number, or a list of numbers}}`, in its order.

    A number is `{value, source}` and may have a `variant`, and a `setting`, which it needs where there are several.

    Raises:
        UserError: for a task, method, metric or setting that the comparison does not have, a number without a value or
            a source, and two numbers of one run and metric.
    """
    found: dict[tuple[str, str, str, str], PublishedNumber] = {}
    for task, of_task in _entries(section, PLACE):
        _known(task, tasks, PLACE, "tasks")
        for method, of_method in _entries(of_task, f"{PLACE}.{task}"):
            _known(method, methods, f"{PLACE}.{task}", "methods")
            for metric, stated in _entries(of_method, f"{PLACE}.{task}.{method}"):
                place = f"{PLACE}.{task}.{method}.{metric}"
                mend = f"; add it to `metrics`, or take the number away by `{metric}: null`"
                _known(metric, metrics_of(task), f"{PLACE}.{task}.{method}", f"metrics of {task}", mend)
                for entry in stated if isinstance(stated, list) else [stated]:
                    setting = _setting(entry, settings, place)
                    made = PublishedNumber(task, method, setting, metric, _number(entry, place))
                    key = (task, method, setting, metric)
                    if key in found:
                        raise UserError(f"{place}: states two numbers for the setting {setting}; leave one")
                    found[key] = made
    return list(found.values())


def of_what_is_left(published: Any, section: Settings) -> Any:
    """`published` without the tasks and methods that a later file took away by `name: null`."""
    if not isinstance(published, dict):
        return published
    gone = {kind: _nulls(section.get(kind)) for kind in ("tasks", "methods")}
    return {
        task: {name: of for name, of in of_task.items() if name not in gone["methods"]}
        if isinstance(of_task, dict)
        else of_task
        for task, of_task in published.items()
        if task not in gone["tasks"]
    }


def _entries(section: Any, place: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(section, dict):
        raise UserError(f"{place}: must be a part of {FORM}, got {section!r}")
    yield from ((name, entry) for name, entry in section.items() if entry is not None)


def _nulls(entries: Any) -> set[str]:
    return {name for name, entry in entries.items() if entry is None} if isinstance(entries, dict) else set()


def _known(name: Any, known: Collection[str], place: str, what: str, mend: str = "") -> None:
    if not isinstance(name, str) or name not in known:
        near = get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {near[0]}?" if near and not mend else mend
        raise UserError(f"{place}: {name!r} is none of the {what}, {', '.join(known)}{hint}")


def _setting(entry: Any, settings: Collection[str], place: str) -> str:
    if not isinstance(entry, dict):
        raise UserError(f"{place}: must be {{value: ..., source: ...}}, got {entry!r}")
    if "setting" not in entry:
        if len(settings) == 1:
            return next(iter(settings))
        raise UserError(f"{place}: says no `setting`, and there are {', '.join(settings)}")
    _known(entry["setting"], settings, place, "settings")
    return entry["setting"]


def _number(entry: Settings, place: str) -> Published:
    if unknown := entry.keys() - set(KEYS):
        raise UserError(f"{place}: has no key {sorted(map(str, unknown))[0]}; there are {', '.join(KEYS)}")
    value = entry.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{place}: `value` must be a number, got {value!r}")
    for key in ("source", "variant"):
        if key in entry and not isinstance(entry[key], str):
            raise UserError(f"{place}: `{key}` must be a text, got {entry[key]!r}")
    if not entry.get("source", "").strip():
        raise UserError(f"{place}: names no source; say the paper and its table, as source: '2209.14687, Table 1'")
    return Published(float(value), entry["source"].strip(), entry.get("variant", "").strip())
