"""From the command line's arguments to one configuration, resolved once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsg import yaml_text
from dsg.command.files import read
from dsg.command.merge import Settings
from dsg.command.options import with_options, without, without_replaced_arguments
from dsg.command.strengths import fill
from dsg.errors import UserError


@dataclass(frozen=True)
class Resolved:
    """A command line whose configuration is one.

    Args:
        arguments: for the parser: the configuration as text, then the options, which win over it.
        callbacks: the names of those that the configuration, or an option, lists.
        notes: lines to tell whoever runs this.
        model: the names of what is set of the model.
    """

    arguments: list[str]
    callbacks: list[str]
    notes: list[str]
    model: frozenset[str] = frozenset()


def resolve(arguments: Sequence[str]) -> Resolved:
    """Read every `--config` with what it includes, one over the other, and fill in the strengths of the guidance.

    Args:
        arguments: a subcommand and its options; others are for the parser to refuse.

    Raises:
        UserError: for files that cannot be read or contradict each other, and a table of strengths that is none.
    """
    if not arguments or arguments[0].startswith("-"):
        return Resolved(list(arguments), [], [])
    files, options = _split(arguments[1:])
    settings = read(files)
    stated = with_options(settings, options)
    callbacks = listed_callbacks(stated)
    settings, note = fill(without_replaced_arguments(settings, stated), stated)
    kept = {name: entry for name, entry in (settings.pop("callbacks", None) or {}).items() if name in callbacks}
    if kept:
        settings["callbacks"] = kept
    gone = [f"callbacks.{name}" for name, entry in (stated.get("callbacks") or {}).items() if entry is None]
    config = ["--config", as_yaml(settings)] if settings else []
    model = stated.get("model")
    named = frozenset(model) if isinstance(model, dict) else frozenset()
    return Resolved([arguments[0], *config, *without(options, gone)], callbacks, [note] if note else [], named)


def as_yaml(settings: Settings) -> str:
    """`settings` as the text of a file."""
    return yaml_text.dump(settings)


def listed_callbacks(settings: Settings) -> list[str]:
    """The names under `callbacks`, but for those that are null.

    Raises:
        UserError: if it holds anything but `name: {class_path: ..., init_args: ...}`.
    """
    listed = settings.get("callbacks") or {}
    if not isinstance(listed, dict):
        raise UserError(f"callbacks: must hold `name: {{class_path: ..., init_args: ...}}`, got {listed!r}")
    for name, entry in listed.items():
        named = isinstance(entry, str) or (isinstance(entry, dict) and "class_path" in entry)
        if not str(name).isidentifier() or not (entry is None or named):
            raise UserError(
                f"callbacks.{name}: names no class; give callbacks.{name}.class_path, for example callbacks.Manifold"
            )
    return [name for name, entry in listed.items() if entry is not None]


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files of `--config`, and all other arguments, each in their order."""
    files, others = [], []
    remaining = iter(arguments)
    for argument in remaining:
        option, _, value = argument.partition("=")
        if option not in ("--config", "-c"):
            others.append(argument)
            continue
        if not (file := value or next(remaining, "")):
            raise UserError("--config: names no file")
        files.append(file)
    return files, others
