"""Reading EDM's published pickles without running what is in them.

Such a file holds each object as the source text of its module, the name of its class and its attributes, and the
original loader executes the text. Here a name stands for a holder of attributes, and a global that is not in the list
below is refused. Nothing that a pickle can reach here calls more than these, and none of them can be changed by it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.models.checkpoint import unreadable
from dsg.models.edm.holders import HeldArray, HeldDtype, HeldObject, HeldTensor, Refused, held_number, held_storage


class _Function:
    """What a pickle may call: a function of ours that it cannot alter, as it could a function itself."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a function has no state")


_ARRAY = {
    "scalar": _Function(held_number),
    "_reconstruct": _Function(HeldArray.empty),
}
_KNOWN: dict[tuple[str, str], Any] = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Function(HeldObject.of),
    ("dnnlib.util", "EasyDict"): dict,
    ("collections", "OrderedDict"): dict,
    ("builtins", "set"): set,
    ("torch.nn.modules.container", "ModuleDict"): HeldObject,
    ("torch._utils", "_rebuild_parameter"): _Function(HeldTensor.parameter),
    ("torch._utils", "_rebuild_tensor_v2"): _Function(HeldTensor.rebuilt),
    ("torch.storage", "_load_from_bytes"): _Function(held_storage),
    ("numpy", "dtype"): _Function(HeldDtype.of),
    ("numpy", "ndarray"): "numpy.ndarray",
    **{(f"numpy.{core}.multiarray", name): call for core in ("core", "_core") for name, call in _ARRAY.items()},
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise Refused(f"{module}.{name}")
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside of it")


def read_pickle(path: Path) -> dict[str, Any]:
    """What the dictionary in a published file holds, objects and tensors as holders.

    Raises:
        UserError: if the file cannot be read, names what is not in the list, or holds no dictionary.
    """
    try:
        with path.open("rb") as file:
            content = _Reader(file).load()
    except Refused as refused:
        raise UserError(
            f"checkpoint {path}: refused, since loading it would run code ({str(refused)[:120]}); ask its author for "
            "safetensors, or a file that EDM's own training wrote"
        ) from refused
    except OSError as error:
        raise UserError(f"checkpoint {path}: cannot be read ({error.strerror}); correct the path") from error
    except Exception as error:  # a pickle is foreign input: a damaged one raises whatever its garbage says
        raise unreadable(path, error) from error
    if not isinstance(content, dict):
        raise UserError(f"checkpoint {path}: holds a {_kind(content)} and no dictionary with the entry ema")
    return content


def _kind(content: Any) -> str:
    return content.class_name if isinstance(content, HeldObject) else type(content).__name__
