"""Segmentation networks of transformers, such as SegFormer, from their folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from dsg.errors import UserError, first_line
from dsg.models.pretrained.component import Component
from dsg.models.pretrained.hub import find_folder
from dsg.models.pretrained.read_json import read_json
from dsg.models.pretrained.weight_choice import STEMS, choose_weights
from dsg.models.text.extra import transformers
from dsg.models.weights import TellsWeights, WeightFiles
from dsg.types import Image
from tasks.features.preparation import UNIT_RANGE, Normalise, Preparation, Prepared, Resize

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
_ENDING = "ForSemanticSegmentation"
_MODES: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}  # of PIL, as `resample` says them


class SemanticSegmentation(TellsWeights, Prepared):
    """Images in [−1, 1], (B,3,H,W) → logits (B,K,h,w), enlarged bilinearly to what the network sees, as its authors do.

    Args:
        path: a folder of transformers with a `...ForSemanticSegmentation`, or its name on the hub, such as
            nvidia/segformer-b0-finetuned-ade-512-512.
        prepare: in place of size, mean and deviation in its preprocessor_config.json.
        revision: commit, tag or branch of a hub name; null is the newest, or the cache's.
        variant: of the weights in a folder, as `fp16`; null is the one without a name, or the only one.

    Raises:
        UserError: if transformers is not installed, there is no such place, it holds another kind of network, or its
            weights do not fit; without preprocessor_config.json, unless `prepare` is given.
    """

    def __init__(
        self,
        path: str,
        prepare: Sequence[Preparation] | None = None,
        revision: str | None = None,
        variant: str | None = None,
    ) -> None:
        transformers()
        network, files, published = find_folder(
            path, lambda root: _load(root, variant, prepare), (CONFIG, PREPROCESSOR), [""], variant, revision
        )
        super().__init__(network, published)
        self.weight_files = WeightFiles(files)
        self.eval().requires_grad_(False)

    def answer(self, prepared: Image) -> Tensor:
        logits = self.network(pixel_values=prepared).logits
        return functional.interpolate(logits, prepared.shape[-2:], mode="bilinear", align_corners=False)


def _load(
    root: Path, variant: str | None, prepare: Sequence[Preparation] | None
) -> tuple[nn.Module, dict[str, Path], Sequence[Preparation]]:
    """The network of a folder, its files by the names under which their hashes are told, and its preparation."""
    file = root / CONFIG
    if not file.is_file():
        raise UserError(f"{file}: is missing; give a folder of transformers with a {_ENDING}")
    config, library = read_json(file), transformers()
    (name, *_) = config.get("architectures") or [""]
    kind = getattr(library, name, None) if name.endswith(_ENDING) else None
    if kind is None:
        raise UserError(f"{file}: is of {name or 'no class'}; take a folder of a {_ENDING} that transformers knows")
    files = Component("", name, config, file, choose_weights(root, variant, STEMS)).files()
    network = _loaded(kind, root, variant)
    if prepare is not None:
        return network, files, prepare
    preprocessor = root / PREPROCESSOR
    if not preprocessor.is_file():
        raise UserError(f"{preprocessor}: is missing, which says size, mean and deviation; copy it or set prepare")
    published = _preparation(read_json(preprocessor), preprocessor)
    return network, files | {PREPROCESSOR: preprocessor}, published


def _loaded(kind: Any, root: Path, variant: str | None) -> nn.Module:
    """The network with its weights, by the library's own loader: it knows under which names older files have them."""
    try:
        network, told = kind.from_pretrained(
            str(root), local_files_only=True, variant=variant, weights_only=True, dtype=torch.float32,
            output_loading_info=True, ignore_mismatched_sizes=True,
        )  # fmt: skip
    except Exception as error:  # a folder is foreign input, and the library raises what Python raises
        raise UserError(f"{root}: transformers cannot load this {kind.__name__} ({first_line(error)})") from error
    faults = {"missing": told["missing_keys"], "unknown": told["unexpected_keys"]}
    faults["of another shape"] = [entry[0] for entry in told["mismatched_keys"]]
    if found := [f"{len(names)} {fault}: {sorted(names)[0]}" for fault, names in faults.items() if names]:
        raise UserError(f"{root}: the weights do not fit {CONFIG}: {'; '.join(found)}; download the folder again")
    return network


def _preparation(config: dict[str, Any], file: Path) -> list[Preparation]:
    """What an image processor of transformers does to a picture."""
    steps: list[Preparation] = []
    others = {"do_center_crop": False, "do_flip_channel_order": False, "do_rescale": True, "do_pad": False}
    if other := next((name for name, usual in others.items() if config.get(name, usual) is not usual), None):
        raise UserError(f"{file}: {other} is {config[other]}, which is not known here: set prepare")
    if config.get("do_resize", True):
        size, mode = config.get("size", {}), _MODES.get(config.get("resample", 2))
        sides = {size} if isinstance(size, int) else {size.get("height"), size.get("width")}
        if len(sides) != 1 or None in sides or mode is None:
            raise UserError(
                f"{file}: resizes to {size} with resample {config.get('resample')}; squares by bilinear (2) or bicubic "
                "(3) are known: set prepare"
            )
        steps.append(Resize(int(sides.pop()), mode, antialias=True))
    if not config.get("do_normalize", True):
        return [*steps, UNIT_RANGE]
    try:
        return [*steps, Normalise(tuple(config["image_mean"]), tuple(config["image_std"]))]
    except (KeyError, TypeError) as error:
        raise UserError(f"{file}: image_mean and image_std are missing; write them there or set prepare") from error
