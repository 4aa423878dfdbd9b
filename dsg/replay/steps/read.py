"""Records of single steps: a safetensors file, and beside it the `common.safetensors` that its steps share.

Names are `tag/tNNNN/name` for what belongs to one step, `tag/name` for what belongs to a tag, and `tNNNN/name` for what
every tag has of a step. The metadata `hyper` is JSON: the options that the recorded code ran with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from dsg.errors import UserError
from dsg.replay.record import Metadata, Tensors, read_record

COMMON = "common"
_STEP = re.compile(r"[a-z]\d+")  # t0980 is a timestep, s05 an annealing step


@dataclass(frozen=True)
class RecordedStep:
    """What a file has of one step.

    Args:
        file: the name of the file, without its ending.
        tag: the variant of the method.
        key: names the step, as `t0980`; empty where the tag has no steps, and is one thing by itself.
        tensors: of the step, by their last names.
        settings: of the tag: `y`, `mask` and scalars.
        hyper: the options of the whole file.
        common: prior, schedule and data, by their full names.
        before: the noisier one of the same tag, for records in which something is carried from step to step.
    """

    file: str
    tag: str
    key: str
    tensors: Tensors
    settings: Tensors
    hyper: dict[str, Any]
    common: Tensors
    before: RecordedStep | None = None

    @property
    def t(self) -> int:
        """The timestep, or the number of the annealing step; 0 of a tag without steps."""
        return int(self.key[1:] or 0)

    def __getitem__(self, name: str) -> Tensor:
        """A tensor of the step, or else of its tag. Raises UserError if there is none."""
        for tensors in (self.tensors, self.settings):
            if name in tensors:
                return tensors[name]
        raise UserError(f"{self.file}: {self.tag}/{self.key} has no {name}")

    def __contains__(self, name: str) -> bool:
        return name in self.tensors or name in self.settings

    def number(self, name: str) -> float:
        """A recorded scalar."""
        return self[name].item()

    def option(self, name: str) -> Any:
        """An option of the tag, or else of the file. Raises UserError if there is none."""
        own = self.hyper.get(self.tag)
        options = own if isinstance(own, dict) and name in own else self.hyper
        if name not in options:
            raise UserError(f"{self.file}: the metadata `hyper` have no {name} for {self.tag}")
        value = options[name]
        return value[self.tag] if isinstance(value, dict) and self.tag in value else value

    def numbered(self, first: int = 0) -> list[Tensor]:
        """noise0, noise1, ... in the order drawn, from `first` on; `noise` where only one draw matters."""
        if "noise" in self.tensors:
            return [self.tensors["noise"]]
        count = sum(re.fullmatch(r"noise\d+", name) is not None for name in self.tensors)
        return [self.tensors[f"noise{k}"] for k in range(first, count)]


def holds_steps(path: Path) -> bool:
    """Whether a safetensors file has single steps in it, and no trajectory. False for what cannot be read."""
    try:
        with safe_open(path, "pt") as file:
            return any("/" in name for name in list(file.keys()))
    except (OSError, SafetensorError):
        return False


def read_steps(path: Path) -> Iterator[RecordedStep]:
    """Every recorded step of a file, tag by tag, the noisiest first; one of a tag that has no steps.

    Raises:
        UserError: for a file that cannot be read, or without `common.safetensors` beside it.
    """
    tensors, meta = read_record(path)
    common = _common(path.with_name(f"{COMMON}.safetensors"))
    hyper, shared, tags = _hyper(path, meta), {}, {}
    for name, value in tensors.items():
        *front, last = name.split("/")
        if len(front) == 2:
            tags.setdefault(front[0], {}).setdefault(front[1], {})[last] = value
        elif front and _STEP.fullmatch(front[0]):
            shared.setdefault(front[0], {})[last] = value
        elif front:
            tags.setdefault(front[0], {}).setdefault("", {})[last] = value
    if path.stem == COMMON:
        tags = {"prior": shared}
    for tag, steps in sorted(tags.items()):
        settings, before = steps.pop("", {}), None
        steps = steps or {"": {}}  # a tag without steps is one by itself, of no time
        for key in sorted(steps, reverse=not any(key.startswith("s") for key in steps)):
            of_step = shared.get(key, {}) | steps[key]
            before = RecordedStep(path.stem, tag, key, of_step, settings, hyper, common, before)
            yield before


@cache
def _common(path: Path) -> Tensors:
    """Read once: every record of a folder shares it."""
    if not path.is_file():
        raise UserError(f"{path}: missing; single steps are replayed with the prior and the data in it")
    tensors, _ = read_record(path)
    needed = {"prior/weights", "prior/means", "prior/s", "schedule/betas", "data/y_inpaint", "data/mask"}
    if missing := needed - tensors.keys():
        raise UserError(f"{path}: {', '.join(sorted(missing))} missing")
    return tensors


def _hyper(path: Path, meta: Metadata) -> dict[str, Any]:
    try:
        hyper = json.loads(meta.get("hyper", "{}"))
    except ValueError as error:
        raise UserError(f"{path}: the metadata `hyper` are no JSON: {error}") from error
    return hyper if isinstance(hyper, dict) else {}
