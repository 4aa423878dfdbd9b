"""A record of a loss that is a network: the picture, the reference, and what the networks' own code made of them.

`image64` is the picture, to be enlarged; `ref_coarse` the reference, each pixel `ref_repeat` times. `NAME_f64` is NAME
of a run in float64. `NETWORK.json` beside it lists the names and shapes of a published state dict.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pictures
from torch import Tensor
from torch.nn import functional

from dsg.errors import UserError
from dsg.models.pretrained.read_json import read_json
from dsg.replay.nonlinear.rule import Shapes
from dsg.replay.record import Metadata, Tensors, read_record
from dsg.types import Image

INPUTS = frozenset({"image64", "ref64", "ref_coarse", "face_box", "token_ids"})
DOUBLE = "_f64"  # ends the names of what a run in float64 gave


@dataclass(frozen=True)
class Record:
    """What a file holds.

    Args:
        path: of the file.
        tensors: as recorded.
        metadata: as recorded.
    """

    path: Path
    tensors: Tensors
    metadata: Metadata

    @classmethod
    def of(cls, path: Path) -> Record:
        """The record in a file. Raises UserError if it cannot be read."""
        return cls(path, *read_record(path))

    def __getitem__(self, name: str) -> Tensor:
        """A tensor. Raises UserError if there is none."""
        if name not in self.tensors:
            raise UserError(f"{self.path}: no record that can be compared, {name} is missing")
        return self.tensors[name]

    def best(self, name: str) -> Tensor:
        """That of the run in float64, where there was one."""
        return self[name + DOUBLE] if name + DOUBLE in self.tensors else self[name]

    def number(self, name: str, otherwise: float) -> float:
        """A number of the metadata."""
        return float(self.metadata.get(name, otherwise))

    def text(self, name: str, otherwise: str) -> str:
        """A text of the metadata."""
        return self.metadata.get(name, otherwise)

    def single_error(self, name: str) -> float:
        """How far the run in float32 is from that in float64, as the record says: max |difference|/max |value|."""
        errors = json.loads(self.metadata.get("error_vs_float64", "{}"))
        return float(errors[name][1]) if name in errors else 0.0

    @cached_property
    def gains(self) -> dict[str, float]:
        """Of single layers."""
        return json.loads(self.metadata.get("gains", "{}"))

    def size(self, otherwise: int) -> int:
        """The side of the picture in pixels, told by what is kept of the gradient."""
        for name, tensor in self.tensors.items():
            if match := re.fullmatch(rf"(?:\w+_)?grad_sub(\d+)(?:{DOUBLE})?", name):
                return tensor.shape[-1] * int(match[1])
        return otherwise

    def image(self, size: int, name: str = "image64") -> Image:
        """A picture (1,3,size,size) in float64: the small one, enlarged bilinearly."""
        return functional.interpolate(self[name][None].double(), (size, size), mode="bilinear", align_corners=False)

    def picture(self) -> Pictures.Image:
        """The reference as its file is."""
        repeats = int(self.number("ref_repeat", 1))
        pixels = self["ref_coarse"].numpy().repeat(repeats, axis=0).repeat(repeats, axis=1)
        return Pictures.fromarray(pixels)

    def reference(self, size: int | None) -> Image:
        """The reference (1,3,size,size) in [−1, 1], float64, resized by PIL to 8 bits; null leaves it as it is."""
        picture = self.picture()
        if size is not None:
            picture = picture.resize((size, size), Pictures.Resampling.BILINEAR)
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].double() / 255 * 2 - 1

    def shapes(self, network: str) -> Shapes | None:
        """Names and shapes of a published state dict, by the list beside the record; None if there is none."""
        file = self.path.with_name(f"{network}.json")
        return {n: tuple(s) for n, s in read_json(file).items()} if file.is_file() else None


def gradient(loss: Tensor, of: Tensor) -> Tensor:
    """∂(Σ loss)/∂of."""
    (found,) = torch.autograd.grad(loss.sum(), of)
    return found
