"""Which of the files of weights in a folder of diffusers or transformers are read: format, variant, shards."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from dsg.errors import UserError

STEM = "diffusion_pytorch_model"
STEMS = (STEM, "model", "pytorch_model")  # the others are of transformers: of safetensors and of pickles
_REST = r"(?:\.(?P<old>[\w-]+))?\.(?P<format>safetensors|bin)(?P<index>\.index(?:\.(?P<new>[\w-]+))?\.json)?"
_SHARD = re.compile(r"-\d+-of-\d+\.(safetensors|bin)$")

log = logging.getLogger(__name__)


def choose_weights(folder: Path, variant: str | None = None, stems: Sequence[str] = (STEM,)) -> tuple[Path, ...]:
    """The file of weights, or all of its shards.

    As diffusers chooses: safetensors before pickles, an index of shards before a whole file. Without a `variant` the
    weights without one, or else the only one there is, which is logged.

    Args:
        folder: of the network.
        variant: of the file's name: `fp16` of diffusion_pytorch_model.fp16.safetensors.
        stems: what the files' names begin with.

    Raises:
        MissingWeights: if there are none, or none of that variant, or a choice is left.
        UserError: if a shard is missing.
    """
    by_variant = _by_variant(folder, stems)
    if variant is None and "" not in by_variant and len(by_variant) == 1:
        variant = next(iter(by_variant))
        log.warning("%s: took the variant %s of the weights, the only one", folder, variant)
    chosen = by_variant.get(variant or "")
    if chosen is None:
        raise _none(folder, variant, list(by_variant), stems)
    match = min(chosen, key=lambda m: (m["format"] == "bin", m["index"] is None))
    file = folder / match[0]
    return shards(file) if match["index"] else (file,)


def variants(folder: Path, stems: Sequence[str] = (STEM,)) -> set[str]:
    """The variants of weights that a folder has; "" is the one without a name."""
    return set(_by_variant(folder, stems))


class MissingWeights(UserError, FileNotFoundError):
    """No weights of the wanted kind: they may be on the hub under another name."""


def _by_variant(folder: Path, stems: Sequence[str]) -> dict[str, list[re.Match[str]]]:
    names = re.compile(f"(?:{'|'.join(stems)}){_REST}")
    found: dict[str, list[re.Match[str]]] = {}
    for file in sorted(folder.iterdir()):
        if not _SHARD.search(file.name) and (match := names.fullmatch(file.name)):
            found.setdefault(match["new"] or match["old"] or "", []).append(match)
    return found


def _none(folder: Path, variant: str | None, others: list[str], stems: Sequence[str]) -> MissingWeights:
    if others:
        names = ", ".join(name or "the one without a name" for name in others)
        wanted = f"variant {variant} of the weights is missing" if variant else "weights: no variant is stated"
        return MissingWeights(f"{folder}: {wanted}; it has {names}: set variant")
    shard = re.compile(rf"(?:{'|'.join(stems)}).*-of-\d+\.(safetensors|bin)")
    if parts := [file.name for file in folder.iterdir() if shard.fullmatch(file.name)]:
        return MissingWeights(
            f"{folder}: shards of weights ({parts[0]}, ...) without their .index.json; fetch that too"
        )
    return MissingWeights(
        f"the network's weights are missing; looked for {folder / stems[0]}.safetensors and .bin; if they have another "
        "name give that file itself as path"
    )


def shards(index: Path) -> tuple[Path, ...]:
    """The files that an index of shards names, all beside it.

    Raises:
        UserError: if it is no index, names a file elsewhere, or one is missing.
    """
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{index}: no index of shards ({type(error).__name__}: {error}); download it again") from error
    if not names:
        raise UserError(f"{index}: names no shard; download it again")
    if strange := [name for name in names if not isinstance(name, str) or Path(name).name != name]:
        raise UserError(f"{index}: names a shard outside its folder ({strange[0]}); download it again from its author")
    if missing := [name for name in names if not (index.parent / name).is_file()]:
        raise UserError(f"{index}: {len(missing)} of {len(names)} shards are missing ({missing[0]}); download them too")
    return tuple(index.parent / name for name in names)
