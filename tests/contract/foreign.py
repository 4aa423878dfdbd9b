"""A method from outside, as the command line names it. Every mistake is one line that says what was expected."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import ArgumentError, ArgumentParser

from dsg.command.files import read
from dsg.command.merge import at
from dsg.command.parser import one_line
from dsg.errors import UserError
from dsg.guidance import Guidance
from tests.contract.run import STEPS, Method


def foreign_method(guidance: str, zero: Sequence[str], evaluations: str | None, folder: Path) -> dict[str, Method]:
    """The one method of `--guidance`, `--zero` and `--evaluations`, under its class's name.

    Args:
        guidance: MODULE.CLASS, or a YAML file.
        zero: NAME=VALUE each, where a NAME may be dotted.
        evaluations: F,B.
        folder: that a file's name is relative to.

    Raises:
        pytest.UsageError: for a name that is not there, a value that the method refuses, or another spelling.
    """
    is_file = Path(guidance).suffix in (".yaml", ".yml")
    method = _from_file(folder / guidance) if is_file else _from_class(guidance)
    twin = method
    for assignment in zero:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise pytest.UsageError(f"--zero: expected NAME=VALUE, such as step_size=0, got {assignment!r}")
        twin = _changed(twin, name, yaml.safe_load(value))
    declared = Method(method, twin if zero else None, _evaluations(evaluations), "no --zero given")
    return {type(method).__name__: declared}


def _from_class(path: str) -> Guidance:
    module_name, _, name = path.rpartition(".")
    if not module_name:
        raise pytest.UsageError(f"--guidance: expected MODULE.CLASS or FILE.yaml, got {path!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise pytest.UsageError(
            f"--guidance: no module {error.name} for {path}; expected MODULE.CLASS, with MODULE.py in {Path.cwd()} "
            "or an installed package"
        ) from error
    except Exception as error:
        raise pytest.UsageError(f"--guidance: {module_name} cannot be imported: {_line(error)}") from error
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, Guidance)):
        what = f"{module_name} has no {name}" if found is None else f"{path} is no subclass of dsg.guidance.Guidance"
        raise pytest.UsageError(f"--guidance: {what}; expected {_choices(module)}")
    return _made(found, {}, "--guidance")


def _choices(module: Any) -> str:
    """The guidance methods that a module holds, those of its own if there are any."""
    methods = [
        c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, Guidance) and not inspect.isabstract(c)
    ]
    own = [c.__name__ for c in methods if c.__module__ == module.__name__]
    names = sorted(own or {c.__name__ for c in methods})
    return f"one of {', '.join(names)}" if names else "a subclass of dsg.guidance.Guidance, and the module has none"


def _from_file(file: Path) -> Guidance:
    """`model.guidance` of the file, read with all that it includes as the command line reads it."""
    try:
        given = at(read([file]), "model.guidance")
    except UserError as error:
        raise pytest.UsageError(str(error).replace("--config", "--guidance")) from error
    if given is None:
        raise pytest.UsageError(f"--guidance: expected `model: {{guidance: {{class_path: ...}}}}` in {file}")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Guidance, "guidance")
    try:
        config = parser.parse_args([f"--guidance={json.dumps(given)}"])
        return parser.instantiate(config).guidance
    except Exception as error:  # jsonargparse has many kinds for what does not fit
        raise pytest.UsageError(f"--guidance: {file}: {_line(error)}") from error


def _changed(method: Any, name: str, value: Any, of: str = "") -> Any:
    """The same method, made again with one parameter, or one of its base's, set to `value`."""
    first, _, rest = name.partition(".")
    parameters = list(inspect.signature(type(method)).parameters)
    if first not in parameters:
        expected = ", ".join(of + p for p in parameters) or "none"
        raise pytest.UsageError(
            f"--zero: {type(method).__name__} has no parameter {of}{first}; its parameters are {expected}"
        )
    now = {p: getattr(method, p) for p in parameters if hasattr(method, p)}
    now[first] = _changed(now[first], rest, value, f"{of}{first}.") if rest else value
    return _made(type(method), now, "--zero")


def _made(kind: type, arguments: dict[str, Any], option: str) -> Any:
    try:
        return kind(**arguments)
    except Exception as error:
        shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise pytest.UsageError(f"{option}: {kind.__name__}({shown}) cannot be made: {_line(error)}") from error


def _evaluations(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    numbers = re.fullmatch(r"(\d+),(\d+)", text)
    if not numbers:
        raise pytest.UsageError(
            f"--evaluations: expected F,B, the forward and backward evaluations of {STEPS} steps, such as "
            f"{STEPS},{STEPS - 1}; got {text!r}"
        )
    return int(numbers[1]), int(numbers[2])


def _line(error: Exception) -> str:
    """A UserError's own words, or the kind and the words of another error, in one line."""
    kind = "" if isinstance(error, UserError | ArgumentError) else f"{type(error).__name__}: "
    return kind + one_line(str(error))
