"""The record of which settings made a run folder."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

from jsonargparse import ArgumentParser, Namespace

NO_SETTINGS = ("config", "strengths", "run_dir", "fresh", "seed_everything")
# what nothing that is measured depends on
IGNORED = ("progress", "diagnostics", "timing", "watch", "provenance")
IGNORED += ("data.init_args.batch_size", "data.init_args.num_workers")
IGNORED += ("distribution.batch_size", "distribution.num_workers", "distribution.inception")  # a file of one hash
# which of the images are asked for
NOTED = ("data.init_args.limit", "data.init_args.first", "data.init_args.spread")
# what no row depends on, but the summary
SUMMARISING = ("distribution", "diversity", "callbacks.classification.init_args.twin")

Strs = tuple[str, ...]


def run_settings(recorded: dict[str, Any]) -> tuple[dict[str, Any], list[str], Strs, Strs, bool]:
    """What `RunFolder.open` asks for, in its order, of the settings of `predict` as `recordable` has them."""
    settings = {name: value for name, value in recorded.items() if name not in NO_SETTINGS}
    trainer = [f"trainer.{name}" for name in settings["trainer"] if name != "precision"]
    return settings, [*IGNORED, *trainer], NOTED, SUMMARISING, recorded["fresh"]


def recordable(parser: ArgumentParser, config: Namespace) -> tuple[Namespace, dict[str, Any]]:
    """`config`, such that config.yaml can hold it, and what that holds.

    Where a class of another library declares a text, its default may be of a kind of text, as the member of an
    enumeration that Lightning's `Timer` has. The parser cannot write that down, and the text alone means the same.
    """
    try:
        return config, _as_written(parser, config)
    except ValueError:
        config = _with_plain_values(config)
        return config, _as_written(parser, config)


def _as_written(parser: ArgumentParser, config: Namespace) -> dict[str, Any]:
    # what was parsed a moment ago is valid: to check it again is half of the time
    return json.loads(parser.dump(config, format="json", skip_unset=False, skip_validation=True))


def _with_plain_values(value: Any) -> Any:
    """A copy in which every kind of text and of number is a text and a number, at any depth."""
    if isinstance(value, Namespace):
        copy = value.clone()
        for name, part in vars(value).items():
            vars(copy)[name] = _with_plain_values(part)
        return copy
    if isinstance(value, dict):
        return {name: _with_plain_values(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_plain_values(part) for part in value]
    for kind in (str, int, float):
        if isinstance(value, kind) and not isinstance(value, bool):
            return kind(value.value if isinstance(value, Enum) else value)
    return value
