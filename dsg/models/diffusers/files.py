"""Finding the files of a diffusers pipeline: configuration and weights of the network, the scheduler's table."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from dsg.errors import UserError
from dsg.models.diffusers.hub import cached_snapshot, download, pinned_snapshot
from dsg.models.diffusers.weight_choice import MissingWeights, choose_weights, shards

_SCHEDULER = "scheduler_config.json"
_NETWORKS = ("unet_ema", "unet")  # the first is the running average that a training keeps beside the second

log = logging.getLogger(__name__)


class PipelineFiles(NamedTuple):
    """The files of which a score model is made; the weights may be in several."""

    network_config: Path
    weights: tuple[Path, ...]
    scheduler_config: Path

    @property
    def by_name(self) -> dict[str, Path]:
        """Each by its name and, inside a pipeline, its folder's."""
        home = self.network_config.parent
        flat = home.name not in _NETWORKS
        files = (self.network_config, self.scheduler_config, *self.weights)
        return {
            file.name if flat and file.parent == home else f"{file.parent.name}/{file.name}": file for file in files
        }


def find_pipeline(path: str, variant: str | None = None, revision: str | None = None) -> PipelineFiles:
    """The files under a folder, beside a file of weights, or of a repository on the hub.

    Raises:
        UserError: if the place or one of its files does not exist, or it is a pipeline of latents.
    """
    root = Path(path).expanduser()
    if (root / "snapshots").is_dir():
        return _files_in(cached_snapshot(root, revision), variant)
    if not root.exists():
        return _from_hub(path, variant, revision)
    if revision is not None and root.name != revision:
        raise UserError(
            f"revision {revision}: {root} is on disk and has none; leave it out, or give the hub's owner/name"
        )
    if root.is_dir():
        return _files_in(root, variant)
    if variant is not None:
        raise UserError(f"variant {variant}: {root} is one file of weights; leave it out, or give its folder")
    config = _config_of(root.parent)
    return PipelineFiles(config, shards(root) if root.suffix == ".json" else (root,), _scheduler_of(root.parent))


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UserError: if the file holds none.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read as JSON ({error}); download it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected a JSON object; download it again")
    return content


def _from_hub(name: str, variant: str | None, revision: str | None) -> PipelineFiles:
    if (root := pinned_snapshot(name, revision)) is not None:
        try:
            return _files_in(root, variant)
        except UserError:
            log.info("%s: the snapshot %s is not complete and is fetched", name, root.name)
    try:
        return _files_in(download(name, variant, revision), variant)
    except MissingWeights:
        return _files_in(download(name, variant, revision, every_weight=True), variant)


def _files_in(root: Path, variant: str | None) -> PipelineFiles:
    if (index := root / "model_index.json").is_file():
        latent = {"vae", "vqvae"} & set(read_json(index))
        if latent:
            raise UserError(
                f"{root}: a latent pipeline (it has a {latent.pop()}); DiffusersModel reads pixel-space ones"
            )
    folders = [root / name for name in _NETWORKS if (root / name).is_dir()] or [root]
    if len(folders) > 1:
        log.warning("%s: took the averaged weights of %s, and not %s", root, folders[0].name, folders[1].name)
    config = _config_of(folders[0])
    return PipelineFiles(config, choose_weights(folders[0], variant), _scheduler_of(folders[0]))


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
