"""CLIP: pictures and texts in one space (Radford et al. 2021, 2103.00020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.models.pretrained.component import Component, build, load_weights
from dsg.models.pretrained.hub import find_folder
from dsg.models.pretrained.read_json import read_json
from dsg.models.pretrained.weight_choice import STEMS, choose_weights
from dsg.models.text.extra import transformers
from dsg.models.text.tokenizer import Tokenizer
from dsg.models.weights import TellsWeights, WeightFiles
from dsg.types import Image
from tasks.features.preparation import CLIP as COLOURS
from tasks.features.preparation import Preparation, Prepared, Resize
from tasks.networks.clip_openai import load_openai
from tasks.networks.layer import output_of

_SMALL_FILES = ("config.json", "tokenizer*", "vocab.json", "merges.txt", "special_tokens_map.json")
_OLD_TABLES = ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids")  # before 4.31


class CLIP(TellsWeights, Prepared):
    """Images (B,3,H,W) in [−1, 1] → projected features (B,D), not normalised; (B,512) of ViT-B/16 and ViT-B/32.

    Pictures are resized to 224² by bicubic without antialiasing, and normalised, as in the codes of FreeDoM and DSG.

    Args:
        path: a folder of transformers with a `CLIPModel`, its name on the hub (openai/clip-vit-base-patch16), or a file
            of OpenAI's own names: the state dict of a ViT, or the archive as published if `sha256` is stated.
        tokenizer: folder of a `CLIPTokenizer`, for a file or a folder without one; needed for texts alone.
        prepare: what happens to pictures instead, one after the other (`tasks.features`).
        revision: commit, tag or branch of a hub name; null is the newest, or the cache's.
        variant: of the weights in a folder, as `fp16`; null is the one without a name, or the only one.
        sha256: of OpenAI's archive, which is TorchScript: only the file that you trust is opened.

    Raises:
        UserError: if transformers is not installed or there is no such place; for weights of another network. When
            asked about texts: without a tokenizer, and for one that is longer than the network takes (77 tokens).
    """

    style_layer = 3  # of FreeDoM's, DSG's and MPGD's codes

    def __init__(
        self,
        path: str,
        tokenizer: str | None = None,
        prepare: Sequence[Preparation] | None = None,
        revision: str | None = None,
        variant: str | None = None,
        sha256: str | None = None,
    ) -> None:
        transformers()
        file = Path(path).expanduser()
        if file.is_file():
            network, files, own = *load_openai(file, sha256), None
        elif sha256 is not None:
            raise UserError(f"sha256: is of OpenAI's archive, and {path} is no file; leave it out")
        else:
            network, files, own = find_folder(
                path, lambda root: _load(root, variant), _SMALL_FILES, [""], variant, revision
            )
        size = network.config.vision_config.image_size
        super().__init__(network, (Resize(size, "bicubic"), COLOURS) if prepare is None else prepare)
        folder = own if tokenizer is None else Path(tokenizer).expanduser()
        longest = network.config.text_config.max_position_embeddings
        self.tokenizer = None if folder is None else Tokenizer(folder, "CLIPTokenizer", longest)
        self.weight_files = WeightFiles(files | ({} if self.tokenizer is None else self.tokenizer.files()))
        self.eval().requires_grad_(False)

    def answer(self, prepared: Image) -> Tensor:
        network: Any = self.network
        return network.visual_projection(network.vision_model(prepared).pooler_output)

    def tokens(self, images: Image, blocks: int) -> Tensor:
        """(B,N,W): what stands for each of the N patches after the first `blocks` residual blocks, from 1 on.

        The class token is left out. Hugging Face's `hidden_states[k]` is after k blocks; a list of the blocks' outputs,
        as in FreeDoM's and DSG's codes, has that at k − 1.

        Raises:
            UserError: if there are not so many.
        """
        vision: Any = self.network.vision_model
        if not 1 <= blocks <= (most := len(vision.encoder.layers)):
            raise UserError(f"layer: CLIP has tokens after 1 to {most} blocks, got {blocks}")
        return output_of(vision.encoder.layers[blocks - 1], vision, self.prepared(images))[:, 1:]

    @torch.no_grad()
    def text_features(self, texts: list[str]) -> Tensor:
        """Texts → projected features (B,D), not normalised. Raises UserError for one that is too long."""
        self.check_texts({f"the text {text[:40]!r}": text for text in texts})
        return self.features_of_tokens(self._texts()(texts)[0])

    @torch.no_grad()
    def features_of_tokens(self, ids: Tensor) -> Tensor:
        """Token numbers (B,L) int64 → (B,D). What follows the end of a text has no influence: the mask is causal."""
        network: Any = self.network
        return network.text_projection(network.text_model(ids.to(network.logit_scale.device)).pooler_output)

    def check_texts(self, texts: Mapping[str, str]) -> None:
        """Raise UserError for a text with more tokens than the network takes, each given by whose it is."""
        tokenizer = self._texts()
        for whose, text in texts.items():
            if (tokens := tokenizer.count(text)) > tokenizer.length:
                raise UserError(f"{whose}: has {tokens} tokens, and CLIP takes {tokenizer.length}; shorten it")

    def _texts(self) -> Tokenizer:
        if self.tokenizer is None:
            raise UserError(
                "CLIP: has no tokenizer and takes no texts; set tokenizer to a folder with vocab.json and merges.txt"
            )
        return self.tokenizer


def _load(root: Path, variant: str | None) -> tuple[Any, dict[str, Path], Path | None]:
    """The network of a folder, its files by the names under which their hashes are told, and its tokenizer's folder."""
    config = root / "config.json"
    if not config.is_file():
        raise UserError(f"{config}: is missing; give a folder of transformers with a CLIPModel, or OpenAI's file")
    content = read_json(config)
    if content.get("model_type") != "clip":
        raise UserError(
            f"{config}: is of {content.get('model_type')!r}, and clip is read; take a folder of a CLIPModel"
        )
    component = Component("", "CLIPModel", content, config, choose_weights(root, variant, STEMS))
    library = transformers()

    def make() -> Any:
        return library.CLIPModel(library.CLIPConfig.from_dict(content))

    network = build(make, config, "transformers")
    label = load_weights(network, component.weights, make, left_out=_OLD_TABLES)
    has_tokens = (root / "tokenizer.json").is_file() or (root / "vocab.json").is_file()
    return network, component.files(label), root if has_tokens else None
