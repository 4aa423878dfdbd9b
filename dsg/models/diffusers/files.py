"""Finding the files of a diffusers pipeline: configuration and weights of the network, the scheduler's table."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from dsg.errors import UserError
from dsg.models.diffusers.readers import INDEX, check_reader
from dsg.models.pretrained.component import Component
from dsg.models.pretrained.hub import find_folder
from dsg.models.pretrained.read_json import read_json
from dsg.models.pretrained.weight_choice import choose_weights, shards

_SCHEDULER = "scheduler_config.json"
_NETWORKS = ("unet_ema", "unet")  # the first is the running average that a training keeps beside the second
_FOLDERS = ("", "unet/", "unet_ema/")
_SMALL_FILES = [
    INDEX,
    *(f"{folder}{file}" for folder in (*_FOLDERS, "scheduler/") for file in ("config.json", _SCHEDULER)),
]

log = logging.getLogger(__name__)


class PipelineFiles(NamedTuple):
    """The files of which a score model is made."""

    network: Component
    scheduler_config: Path


def find_pipeline(path: str, variant: str | None = None, revision: str | None = None) -> PipelineFiles:
    """The files under a folder, beside a file of weights, or of a repository on the hub.

    Raises:
        UserError: if the place or one of its files does not exist, or it is a pipeline of another model.
    """

    def read(root: Path) -> PipelineFiles:
        return _files_in(root, variant) if root.is_dir() else _files_beside(root, variant)

    return find_folder(path, read, _SMALL_FILES, _FOLDERS, variant, revision)


def _files_beside(file: Path, variant: str | None) -> PipelineFiles:
    if variant is not None:
        raise UserError(f"variant {variant}: {file} is one file of weights; leave it out, or give its folder")
    return _made_of(file.parent, shards(file) if file.suffix == ".json" else (file,))


def _files_in(root: Path, variant: str | None) -> PipelineFiles:
    if (index := root / INDEX).is_file():
        check_reader(read_json(index), root, "DiffusersModel")
    folders = [root / name for name in _NETWORKS if (root / name).is_dir()] or [root]
    if len(folders) > 1:
        log.warning("%s: took the averaged weights of %s, and not %s", root, folders[0].name, folders[1].name)
    _config_of(folders[0])  # where it is missing too, it is what is said
    return _made_of(folders[0], choose_weights(folders[0], variant))


def _made_of(folder: Path, weights: tuple[Path, ...]) -> PipelineFiles:
    file = _config_of(folder)
    config = read_json(file)
    name = folder.name if folder.name in _NETWORKS else ""
    return PipelineFiles(Component(name, str(config.get("_class_name")), config, file, weights), _scheduler_of(folder))


def _config_of(folder: Path) -> Path:
    return _first([folder / "config.json"], "the network's configuration")


def _scheduler_of(folder: Path) -> Path:
    above = (folder, folder.parent, folder.parent.parent)
    return _first([place / sub / _SCHEDULER for place in above for sub in ("scheduler", "")], "the scheduler's table")


def _first(candidates: list[Path], what: str) -> Path:
    for file in candidates:
        if file.is_file():
            return file
    looked = ", ".join(dict.fromkeys(str(file) for file in candidates))
    raise UserError(f"{what} is missing; looked for {looked}; copy it to one of these places")
