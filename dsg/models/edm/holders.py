"""What stands in for the objects of a pickle: attributes, tensors and numbers, each checked when it is made.

Each takes a state once and has no other attribute, so that a pickle can put nothing else into it.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

_KINDS = {"b1", "?", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8"}
_TYPES = (
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
)


class Refused(Exception):
    """The file names a global that it has no business with."""


class HeldObject:
    """An object by the name of its class and its attributes; without a name it is a container of torch."""

    __slots__ = ("class_name", "state")

    class_name: str
    state: dict[str, Any]

    def __new__(cls) -> HeldObject:  # a pickle makes objects without __init__
        held = super().__new__(cls)
        held.class_name, held.state = "", {}
        return held

    @staticmethod
    def of(meta: Any) -> HeldObject:
        """Of what `torch_utils.persistence` writes; the source text in it is left alone."""
        held = HeldObject()
        if not isinstance(meta, dict) or meta.get("type") != "class":
            raise pickle.UnpicklingError("an object of another kind than a class's")
        held.class_name = _checked(meta.get("class_name"), str)
        held.__setstate__({} if meta.get("state") is None else meta["state"])
        return held

    def __setstate__(self, state: Any) -> None:
        self.state = _checked(state, dict)


class HeldTensor:
    """A tensor."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    @staticmethod
    def rebuilt(storage: Any, offset: Any, size: Any, stride: Any, *others: Any) -> HeldTensor:
        """A view of a flat tensor: `offset`, `size` and `stride` in numbers of it, which have to lie inside."""
        flat, size, stride = _checked(storage, HeldTensor).tensor, _numbers(size), _numbers(stride)
        (offset,) = _numbers([offset])
        furthest = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
        if math.prod(size) and furthest > flat.numel():
            raise pickle.UnpicklingError(f"a tensor {size} of a storage with {flat.numel()} numbers")
        return HeldTensor(flat.as_strided(size, stride, offset))

    @staticmethod
    def parameter(tensor: Any, *others: Any) -> HeldTensor:
        return _checked(tensor, HeldTensor)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a tensor with a state of its own")


def held_storage(content: Any) -> HeldTensor:
    """The numbers of a storage, flat, of what torch's own format holds as bytes; as weights alone, on the CPU."""
    try:
        loaded = torch.load(io.BytesIO(_checked(content, bytes)), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if wanted := re.search(r"GLOBAL (\S+)", str(error)):
            raise Refused(wanted[1]) from error
        raise
    storage = _checked(loaded, torch.TypedStorage)
    if storage.dtype not in _TYPES:
        raise pickle.UnpicklingError(f"a storage of {storage.dtype}")
    return HeldTensor(torch.empty(0, dtype=storage.dtype).set_(storage))


class HeldDtype:
    """A numpy type of numbers; others, objects among them, are refused."""

    __slots__ = ("name", "order")

    def __init__(self, name: str) -> None:
        self.name, self.order = name, "="

    @staticmethod
    def of(name: Any, *others: Any) -> HeldDtype:
        if name not in _KINDS:
            raise pickle.UnpicklingError(f"numpy's type {str(name)[:20]!r}")
        return HeldDtype(name)

    def __setstate__(self, state: Any) -> None:
        self.order = _checked(_checked(state, tuple)[1], str)
        if self.order not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError("numpy's type of another order of bytes")

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.name if self.order == "|" else self.order + self.name)


def held_number(dtype: Any, content: Any) -> Any:
    """A numpy scalar as Python's number."""
    (number,) = np.frombuffer(_checked(content, bytes), _checked(dtype, HeldDtype).dtype)
    return number.item()


class HeldArray:
    """An array of numpy."""

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array = np.empty(0)

    @staticmethod
    def empty(*others: Any) -> HeldArray:
        return HeldArray()

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_columns, content = _checked(state, tuple)
        numbers = np.frombuffer(_checked(content, bytes), _checked(dtype, HeldDtype).dtype)
        self.array = numbers.reshape(_numbers(shape), order="F" if by_columns else "C")


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise pickle.UnpicklingError(f"a {type(value).__name__} where a {kind.__name__} belongs")
    return value


def _numbers(values: Any) -> list[int]:
    """Whole numbers from 0 on."""
    if not isinstance(values, list | tuple) or not all(type(v) is int and 0 <= v < 1 << 48 for v in values):
        raise pickle.UnpicklingError("sizes that are none")
    return list(values)
