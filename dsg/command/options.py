"""What the command line's options say, as far as a file could say it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from dsg import yaml_text
from dsg.command.merge import OF_A_CLASS, Settings, is_another_class, merge

TABLE = "strengths"
"""The option that names a file where others hold what a file would hold."""


def with_options(settings: Settings, options: Sequence[str]) -> Settings:
    """`settings` under `options`, in the spelling of a file: --model.guidance.step_size 2 is an argument of the class.

    It is to look things up in; the parser reads the options themselves, and says what is wrong with them.
    """
    for key, value in _pairs(options):
        settings = _under(settings, key.split("."), value)
    return settings


def without(options: Sequence[str], keys: Sequence[str]) -> list[str]:
    """`options` but for `--key value` and `--key=value` of `keys`."""
    kept, values = [], iter(options)
    for option in values:
        key, equals, _ = option.removeprefix("--").partition("=")
        if not option.startswith("--") or key not in keys:
            kept.append(option)
        elif not equals:
            next(values, None)
    return kept


def without_replaced_arguments(settings: Any, stated: Any) -> Any:
    """`settings`, but where `stated` has another class, that class alone.

    The parser keeps the arguments that another class happens to have too. They were meant for the class before.
    """
    if not (isinstance(settings, dict) and isinstance(stated, dict)):
        return settings
    if is_another_class(settings, stated):
        return {"class_path": stated["class_path"]}
    return {name: without_replaced_arguments(value, stated.get(name)) for name, value in settings.items()}


def _pairs(options: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """(key, value) of `--key value` and `--key=value`; switches without a value are left out."""
    for option, following in zip_longest(options, options[1:], fillvalue="--"):
        key, equals, value = option.partition("=")
        if not equals:
            value = following
        if key.startswith("--") and (equals or not value.startswith("--")):
            name = key.removeprefix("--").removesuffix("+")
            yield name, value if name == TABLE else _value(value)


def _value(text: str) -> Any:
    """A value as a file would hold it; of a section's own file, what that holds."""
    try:
        if text.endswith((".yaml", ".yml")) and Path(text).is_file():
            text = Path(text).read_text(encoding="utf-8")
        return yaml_text.load(text)
    except (yaml_text.YAMLError, OSError, UnicodeDecodeError):
        return text


def _under(here: Any, names: list[str], value: Any) -> Any:
    """`here`, a part of settings, with `value` at the place that `names` lead to."""
    if not names:
        names_a_class = isinstance(value, str) and isinstance(here, dict) and "class_path" in here
        return merge(here, {"class_path": value} if names_a_class else value)
    if isinstance(here, str):  # the name of a class, which needs no class_path where it has no arguments
        here = {"class_path": here}
    here = here if isinstance(here, dict) else {}
    if "class_path" in here and names[0] not in OF_A_CLASS:
        names = ["init_args", *names]
    return merge(here, {names[0]: _under(here.get(names[0]), names[1:], value)})
