"""Which classes a run folder may name: it is data from anywhere, and to import a module is to run it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, TypeVar

from dsg.command.exit_codes import flat
from dsg.errors import UserError

T = TypeVar("T")
LIBRARY = ("dsg", "tasks")


def trusted_class(class_path: Any, base: type[T], modules: Sequence[str] = ()) -> type[T]:
    """The subclass of `base` that a run folder names, imported only if it is the library's or in one of `modules`.

    Args:
        class_path: what stands in config.yaml.
        base: what it has to be.
        modules: dotted names that the user trusts, of packages, modules or classes.

    Raises:
        UserError: for any other name, and where there is no such class.
    """
    path = str(class_path)
    if not any(path.startswith(f"{known}.") or path == known for known in (*LIBRARY, *modules)):
        raise UserError(
            f"{path} is not imported, since a run folder names it and it is no class of the library; if it is yours, "
            f"give --trust {path.rpartition('.')[0] or path}"
        )
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except Exception as error:  # a module may do anything, and may be gone
        raise UserError(f"{path} cannot be imported any more ({flat(error)})") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserError(f"{path} is no {base.__name__}")
    return found


def plain(arguments: Any) -> dict[str, Any]:
    """The arguments of a class, if none of them names a class again.

    Raises:
        UserError: if one does, or they are no mapping.
    """
    if not isinstance(arguments, dict):
        raise UserError("init_args of data are no mapping")
    if _names_a_class(arguments):
        raise UserError("an argument of data names a class, which is not made again")
    return arguments


def _names_a_class(value: Any) -> bool:
    if isinstance(value, dict):
        return "class_path" in value or any(map(_names_a_class, value.values()))
    return isinstance(value, list) and any(map(_names_a_class, value))
