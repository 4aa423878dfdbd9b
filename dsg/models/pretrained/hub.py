"""Models of the Hugging Face hub: fetched once, or taken from its cache, at a revision that stays."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from dsg.errors import UserError, first_line
from dsg.models.pretrained.weight_choice import STEMS, MissingWeights

_COMMIT = re.compile("[0-9a-f]{40}")
_T = TypeVar("_T")

log = logging.getLogger(__name__)


def find_folder(
    path: str,
    read: Callable[[Path], _T],
    small_files: Sequence[str],
    folders: Sequence[str],
    variant: str | None = None,
    revision: str | None = None,
) -> _T:
    """What `read` makes of a folder on disk, of a model's folder in the hub's cache, or of a repository on the hub.

    Args:
        path: folder, or owner/name.
        read: raises UserError where files are missing, MissingWeights where weights are.
        small_files: patterns of what is fetched beside the weights.
        folders: those of which weights are fetched; "" is the repository's own.
        variant: of the weights.
        revision: commit, tag or branch of the hub; null is the newest, or the cache's.

    Raises:
        UserError: of `read`, or if there is no such place.
    """
    root = Path(path).expanduser()
    if (root / "snapshots").is_dir():
        return read(cached_snapshot(root, revision))
    if root.exists():
        if revision is not None and root.name != revision:
            raise UserError(
                f"revision {revision}: {root} is on disk and has none; leave it out, or give the hub's owner/name"
            )
        return read(root)
    if (snapshot := pinned_snapshot(path, revision)) is not None:
        try:
            return read(snapshot)
        except UserError:
            log.info("%s: the snapshot %s is not complete and is fetched", path, snapshot.name)
    wanted = [*small_files, *(folder + file for folder in folders for file in _of_variant(variant))]
    try:
        return read(download(path, revision, wanted))
    except MissingWeights:
        wanted = [*small_files, *(f"{folder}{stem}*" for folder in folders for stem in STEMS)]
        return read(download(path, revision, wanted))


def pinned_snapshot(name: str, revision: str | None) -> Path | None:
    """The cache's snapshot of a commit, without asking the hub; None if it has none, or `revision` may move."""
    if revision is None or not _COMMIT.fullmatch(revision) or not _is_name(name):
        return None
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except Exception:  # the hub's client raises a different family with every version: it is asked again, online
        return None


def download(name: str, revision: str | None, patterns: list[str]) -> Path:
    """The snapshot of a repository, fetched into the hub's own cache; of the cache where the hub does not answer.

    Args:
        name: owner/name.
        revision: commit, tag or branch; None is the newest, which is logged.
        patterns: of the files that are fetched.

    Raises:
        UserError: if it is no such name, or can neither be fetched nor is in the cache.
    """
    if not _is_name(name):
        raise UserError(f"model folder {name}: no such folder; correct the path, or give a hub name like owner/name")
    from huggingface_hub import snapshot_download

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


def _of_variant(variant: str | None) -> list[str]:
    """Names of safetensors of one variant."""
    dotted = f".{variant}" if variant else ""
    ends = (f"{dotted}.safetensors", f"{dotted}-*.safetensors", f".safetensors.index{dotted}.json")
    return [f"{stem}{end}" for stem in STEMS for end in ends]


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None and not name.startswith(".")
