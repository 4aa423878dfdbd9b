"""An object from outside, as an option names it: MODULE.CLASS, or a YAML file. Every mistake is one line."""

from __future__ import annotations

import importlib
import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentError, ArgumentParser

from dsg.command.files import read
from dsg.command.merge import at
from dsg.command.parser import one_line
from dsg.errors import UserError


@dataclass(frozen=True)
class Option:
    """An option that names an object: its spelling, its key below `model`, and the class that the object must be of."""

    name: str
    base: type

    def object(self, value: str, folder: Path) -> Any:
        """The object: of MODULE.CLASS with its defaults, or of a YAML file, which is relative to `folder`.

        Raises:
            pytest.UsageError: for a name that is not there, or what cannot be made.
        """
        is_file = Path(value).suffix in (".yaml", ".yml")
        return self._from_file(folder / value) if is_file else self._from_class(value)

    @property
    def _base(self) -> str:
        """The class that it must be of, as one imports it."""
        return f"{self.base.__module__.rpartition('.')[0]}.{self.base.__name__}"

    def _from_class(self, path: str) -> Any:
        module_name, _, name = path.rpartition(".")
        if not module_name:
            raise pytest.UsageError(f"--{self.name}: expected MODULE.CLASS or FILE.yaml, got {path!r}")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise pytest.UsageError(
                f"--{self.name}: no module {error.name} for {path}; expected MODULE.CLASS, with MODULE.py in "
                f"{Path.cwd()} or an installed package"
            ) from error
        except Exception as error:
            raise pytest.UsageError(f"--{self.name}: {module_name} cannot be imported: {said(error)}") from error
        found = getattr(module, name, None)
        if not (isinstance(found, type) and issubclass(found, self.base)):
            what = f"{module_name} has no {name}" if found is None else f"{path} is no subclass of {self._base}"
            raise pytest.UsageError(f"--{self.name}: {what}; expected {self._choices(module)}")
        return made(found, {}, f"--{self.name}")

    def _choices(self, module: Any) -> str:
        """The classes that a module holds, those of its own if there are any."""
        fitting = [
            c
            for c in vars(module).values()
            if inspect.isclass(c) and issubclass(c, self.base) and not inspect.isabstract(c)
        ]
        own = [c.__name__ for c in fitting if c.__module__ == module.__name__]
        names = sorted(own or {c.__name__ for c in fitting})
        return f"one of {', '.join(names)}" if names else f"a subclass of {self._base}, and the module has none"

    def _from_file(self, file: Path) -> Any:
        """The object of `model` in the file and in those that it includes, the later over the earlier."""
        found = in_file(self.name, self.name, self.base, file)
        if found is None:
            raise pytest.UsageError(f"--{self.name}: expected `model: {{{self.name}: {{class_path: ...}}}}` in {file}")
        return found


def in_file(option: str, key: str, base: type, file: Path) -> Any:
    """`model.KEY` of a file, read with all that it includes as the command line reads it; None where there is none."""
    try:
        given = at(read([file]), f"model.{key}")
    except UserError as error:
        raise pytest.UsageError(str(error).replace("--config", f"--{option}")) from error
    if given is None:
        return None
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(base, key)
    try:
        config = parser.parse_args([f"--{key}={json.dumps(given)}"])
        return getattr(parser.instantiate(config), key)
    except Exception as error:  # jsonargparse has many kinds for what does not fit
        raise pytest.UsageError(f"--{option}: {file}: {said(error)}") from error


def made(kind: type, arguments: dict[str, Any], option: str) -> Any:
    try:
        return kind(**arguments)
    except Exception as error:
        shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise pytest.UsageError(f"{option}: {kind.__name__}({shown}) cannot be made: {said(error)}") from error


def said(error: Exception) -> str:
    """A UserError's own words, or the kind and the words of another error, in one line."""
    kind = "" if isinstance(error, UserError | ArgumentError) else f"{type(error).__name__}: "
    return kind + one_line(str(error))
