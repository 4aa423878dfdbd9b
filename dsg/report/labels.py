"""What a run's settings say, in a word for the table, and where runs differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsg.report.table import NONE


def at(settings: Any, key: str) -> Any:
    """The value at a dotted key; None if there is none."""
    for name in key.split("."):
        if not isinstance(settings, Mapping):
            return None
        settings = settings.get(name)
    return settings


def class_name(settings: Any, key: str) -> str:
    """The last part of the class_path at `key`: `RandomInpainting`."""
    return str(at(settings, f"{key}.class_path") or NONE).rpartition(".")[2]


def task(settings: Any) -> str:
    """The task's class; of a sum its tasks' classes, `Identity + Segmentation`; Generation where nothing is asked."""
    parts = at(settings, "model.task.init_args.tasks")
    if isinstance(parts, list) and parts:
        return " + ".join(class_name({"task": part}, "task") for part in parts)
    named = class_name(settings, "model.task")
    return "Generation" if named == NONE and at(settings, "model.token_model") else named


def method(settings: Any) -> str:
    """The guidance's class, what it goes over, and the combiner: `ClassifierFree + DSG over FreeDoM`.

    A combiner without guidance stands alone, `ClassifierFree`; tokens have no other.
    """
    words, combiner = class_name(settings, "model.guidance"), class_name(settings, "model.combiner")
    if words == NONE and at(settings, "model.token_model"):
        words = "Unguided"
    if isinstance(at(settings, "model.guidance.init_args.base"), Mapping):
        words += f" over {class_name(settings, 'model.guidance.init_args.base')}"
    if combiner in (NONE, "Conditional"):
        return words
    return combiner if words in (NONE, "Unguided") else f"{combiner} + {words}"


def flat(settings: Any, key: str = "") -> dict[str, str]:
    """Dotted key: value in words; lists stay whole."""
    if isinstance(settings, Mapping) and settings:
        parts = (flat(value, f"{key}.{name}" if key else str(name)) for name, value in settings.items())
        return {name: value for part in parts for name, value in part.items()}
    return {key: "null" if settings is None else str(settings)}


def where_they_differ(every: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Dotted key: its value in each of the settings, where they are not all the same; – where one has no such key."""
    flattened = [flat(settings) for settings in every]
    keys = dict.fromkeys(key for settings in flattened for key in settings)
    values = {key: [settings.get(key, NONE) for settings in flattened] for key in keys}
    return {key: found for key, found in values.items() if len(set(found)) > 1}
