"""Models of the Hugging Face hub: fetched once, or taken from its cache, at a revision that stays."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from dsg.errors import UserError, first_line
from dsg.models.diffusers.weight_choice import STEM

_CONFIGS = ("model_index.json", "config.json", "scheduler_config.json")
_FOLDERS = ("", "unet/", "unet_ema/", "scheduler/")
_COMMIT = re.compile("[0-9a-f]{40}")

log = logging.getLogger(__name__)


def pinned_snapshot(name: str, revision: str | None) -> Path | None:
    """The cache's snapshot of a commit, without asking the hub; None if it has none, or `revision` may move."""
    if revision is None or not _COMMIT.fullmatch(revision) or not _is_name(name):
        return None
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except Exception:  # the hub's client raises a different family with every version: it is asked again, online
        return None


def download(name: str, variant: str | None, revision: str | None, every_weight: bool = False) -> Path:
    """The snapshot of a repository, fetched into the hub's own cache; of the cache where the hub does not answer.

    Args:
        name: owner/name.
        variant: of the weights.
        revision: commit, tag or branch; None is the newest, which is logged.
        every_weight: fetch all files of weights, and not only safetensors of the variant.

    Raises:
        UserError: if it is no such name, or can neither be fetched nor is in the cache.
    """
    if not _is_name(name):
        raise UserError(f"model folder {name}: no such folder; correct the path, or give a hub name like owner/name")
    from huggingface_hub import snapshot_download

    dotted = f".{variant}" if variant else ""
    weights = [f"{STEM}{dotted}.safetensors", f"{STEM}{dotted}-*.safetensors", f"{STEM}.safetensors.index{dotted}.json"]
    wanted = [*_CONFIGS, f"{STEM}*"] if every_weight else [*_CONFIGS, *weights]
    patterns = [f"{folder}{file}" for folder in _FOLDERS for file in wanted]
    try:
        root = Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub's client raises a different family with every version and proxy
        reason = first_line(error)
        at = "" if revision is None else f" at revision {revision}"
        raise UserError(
            f"model {name}{at}: no such folder, and the hub did not give it ({reason}); "
            "check the name and the network, or download it elsewhere and give its folder"
        ) from error
    if revision != root.name:
        log.warning("%s: is at %s now; set revision to that to stay with it", name, root.name)
    return root


def cached_snapshot(cache: Path, revision: str | None) -> Path:
    """A snapshot in one model's folder of the hub's cache: of a commit, a tag or a branch; None is the branch main.

    Raises:
        UserError: if the cache does not have it.
    """
    ref = cache / "refs" / (revision or "main")
    commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else (revision or "")
    kept = sorted(folder.name for folder in (cache / "snapshots").iterdir())
    if revision is None and not commit and len(kept) == 1:
        commit = kept[0]
    if commit not in kept:
        raise UserError(
            f"{cache}: has no revision {revision or 'main'}; it has {', '.join(kept) or 'none'}: set revision to one"
        )
    return cache / "snapshots" / commit


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None and not name.startswith(".")
