"""What can be relied on in a metrics.json that somebody may have written by hand."""

from __future__ import annotations

from typing import Any

NUMBERS = ("mean", "low", "high", "n")


def summary_of(content: Any) -> dict[str, Any]:
    """`content` of a metrics.json, of which `metrics`, `unavailable`, `timing` and `warnings` are what they should be.

    Raises:
        ValueError: if it is something else.
    """
    if not isinstance(content, dict):
        raise ValueError(f"holds a {type(content).__name__}")
    for key in ("metrics", "unavailable", "timing"):
        if not isinstance(content.get(key, {}), dict):
            raise ValueError(f"{key} is no mapping")
    if not isinstance(content.get("warnings", []), list):
        raise ValueError("warnings is no list")
    for name, of_all in content.get("metrics", {}).items():
        if not isinstance(of_all, dict) or not all(_is_a_number(of_all.get(key)) for key in NUMBERS):
            raise ValueError(f"metrics.{name} is no mean with its interval")
    if not _is_a_number(content.get("timing", {}).get("peak_memory_mib")):
        raise ValueError("timing.peak_memory_mib is no number")
    return content


def _is_a_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
