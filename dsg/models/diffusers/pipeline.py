"""A pipeline that diffusers has saved: which it is, and its parts by name."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.models.diffusers.readers import INDEX, check_reader
from dsg.models.pretrained.component import Component
from dsg.models.pretrained.hub import find_folder
from dsg.models.pretrained.read_json import read_json
from dsg.models.pretrained.weight_choice import STEM, STEMS, choose_weights, variants

_SMALL_FILES = [INDEX, "*/*.json", "*/*.txt", "*/*.model"]  # the last two are of tokenizers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pipeline:
    """A folder with model_index.json, and in it one for each part.

    Args:
        root: the folder.
        index: what model_index.json holds: the pipeline's `_class_name`, and [library, class] of each part.
        variant: of the weights.
        parts: the names of those that are read.
    """

    root: Path
    index: Mapping[str, Any]
    variant: str | None
    parts: tuple[str, ...]

    @property
    def class_name(self) -> str:
        return str(self.index.get("_class_name"))

    def has(self, name: str) -> bool:
        """Whether the part is there; one that may be absent is [null, null] in the index."""
        return self._kind(name) is not None

    def folder(self, name: str) -> Path:
        """Of a part without weights, as a tokenizer.

        Raises:
            UserError: if the index or the disk does not have it.
        """
        if not self.has(name):
            parts = ", ".join(part for part in self.index if self.has(part))
            raise UserError(
                f"{self.root}: its {INDEX} ({self.class_name}) has no {name}, but {parts or 'nothing'}; take a "
                "pipeline that has one"
            )
        if not (folder := self.root / name).is_dir():
            raise UserError(f"{self.root}: its part {name} is missing; copy that folder there too")
        return folder

    def component(self, name: str, classes: Sequence[str]) -> Component:
        """A part with weights: its configuration is read, its weights are found and not yet read.

        The variant is taken where the part has it. Where only other parts have it, the weights without a name are
        taken, which is logged, as diffusers does.

        Args:
            name: of the part.
            classes: what it may be.

        Raises:
            UserError: if it is missing, of another class, or its configuration or weights are.
        """
        folder, kind = self.folder(name), self._kind(name)
        if kind is None or kind not in classes:
            raise UserError(f"{self.root}: its {name} is a {kind}, and only {' or '.join(classes)} is read there")
        config = folder / "config.json"
        if not config.is_file():
            raise UserError(f"{config}: is missing; copy it there too")
        return Component(name, kind, read_json(config), config, self._weights(folder))

    def scheduler(self) -> Path:
        """The scheduler's configuration.

        Raises:
            UserError: if it is missing.
        """
        file = self.folder("scheduler") / "scheduler_config.json"
        if not file.is_file():
            raise UserError(f"{file}: is missing; copy it there too")
        return file

    def _kind(self, name: str) -> str | None:
        entry = self.index.get(name)
        return entry[1] if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], str) else None

    def _weights(self, folder: Path) -> tuple[Path, ...]:
        stems = STEMS if (folder.name.startswith("text_encoder")) else (STEM,)
        own = variants(folder, stems)
        if self.variant is not None and self.variant not in own and "" in own:
            others = [self.root / part for part in self.parts if (self.root / part).is_dir()]
            if any(self.variant in variants(other, STEMS) for other in others):
                log.warning("%s: has no variant %s as other parts have; took the one without", folder, self.variant)
                return choose_weights(folder, None, stems)
        return choose_weights(folder, self.variant, stems)


def open_pipeline(
    path: str, reader: str, parts: Mapping[str, Sequence[str]], variant: str | None = None, revision: str | None = None
) -> Pipeline:
    """A pipeline on disk, in the hub's cache, or of the hub.

    All that is asked of `parts` is tried here, so that a copy that is not complete is fetched again where it can be,
    and refused before any weight is read.

    Args:
        path: folder on disk, name on the hub (owner/name), or a model's folder in the hub's cache.
        reader: the class in dsg.models.diffusers that asks, as `READERS` names it.
        parts: of what is fetched from the hub, name → classes that it may be of; no classes for a part without
            weights. One that may be absent is tried where the index has it: its name ends in `?`.
        variant: of the weights, as `fp16`; null is the one without a name, or the only one.
        revision: of a hub name, as `DiffusersModel` says.

    Raises:
        UserError: if there is no such place, it is no pipeline, another model reads it, or a part is missing.
    """
    names = tuple(part.removesuffix("?") for part in parts)

    def read(root: Path) -> Pipeline:
        pipeline = Pipeline(root, _index_of(root, reader), variant, names)
        for part, classes in parts.items():
            name = part.removesuffix("?")
            if part != name and not pipeline.has(name):
                continue
            pipeline.component(name, classes) if classes else pipeline.folder(name)
        pipeline.scheduler()
        return pipeline

    return find_folder(path, read, _SMALL_FILES, [f"{name}/" for name in names], variant, revision)


def _index_of(root: Path, reader: str) -> dict[str, Any]:
    file = root / INDEX
    if not root.is_dir():
        raise UserError(f"{root}: is a file; {reader} reads a pipeline's folder, which has {INDEX}")
    if not file.is_file():
        above = f"; the folder above is one: give {root.parent}" if (root.parent / INDEX).is_file() else ""
        raise UserError(f"{root}: is no pipeline of diffusers (it has no {INDEX}), and {reader} reads those{above}")
    index = read_json(file)
    check_reader(index, root, reader)
    return index
