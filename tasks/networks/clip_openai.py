"""CLIP as OpenAI published it: the names of its state dict, and the network that they say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.models.checkpoint import check_names, read_checkpoint
from dsg.models.entries import groups
from dsg.models.pretrained.component import build
from dsg.models.text.extra import transformers
from dsg.models.torchscript import TorchScript

_FACTS = ("input_resolution", "context_length", "vocab_size")  # integers in the archive, which shapes say too
_HEAD = 64  # channels of one attention head, in all of OpenAI's
_BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.*)")
_IN_BLOCK = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_OUTSIDE = {
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "visual.proj": "visual_projection.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
    "logit_scale": "logit_scale",
}
_TRANSPOSED = ("visual.proj", "text_projection")  # applied as x @ P


def load_openai(file: Path, sha256: str | None) -> tuple[Any, dict[str, Path]]:
    """The `CLIPModel` of transformers with the weights of a file, float32, and the file by its name.

    Args:
        file: a state dict, or the archive, which is TorchScript.
        sha256: of the archive; None for a state dict.

    Raises:
        UserError: if it cannot be read, is TorchScript of another or no stated SHA-256, or of another network.
    """
    content = _read(file) if sha256 is None else TorchScript(file, sha256).module.state_dict()
    tensors = _state_dict(content, file)
    config, library = config_of(tensors), transformers()
    network: Any = build(lambda: library.CLIPModel(library.CLIPConfig(**config)), file, "transformers")
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    renamed = as_transformers(tensors)
    check_names(expected, renamed, file)
    network.load_state_dict({name: renamed[name].float() for name in expected}, assign=True)
    places = {"text_model": config["text_config"]["max_position_embeddings"]}
    places["vision_model"] = len(tensors["visual.positional_embedding"])
    for tower, count in places.items():  # a table that no file holds
        network.get_submodule(f"{tower}.embeddings").register_buffer(
            "position_ids", torch.arange(count)[None], persistent=False
        )
    return network, {file.name: file}


def config_of(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What `CLIPConfig` is made with, of a state dict of a ViT."""
    vocabulary, text_width = tensors["token_embedding.weight"].shape
    width, _, patch, _ = tensors["visual.conv1.weight"].shape
    text = _tower(tensors, "transformer.", text_width) | {
        "vocab_size": vocabulary,
        "max_position_embeddings": len(tensors["positional_embedding"]),
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        "pad_token_id": vocabulary - 1,
    }
    side = round((len(tensors["visual.positional_embedding"]) - 1) ** 0.5)
    vision = _tower(tensors, "visual.transformer.", width) | {"image_size": side * patch, "patch_size": patch}
    return {"text_config": text, "vision_config": vision, "projection_dim": tensors["text_projection"].shape[1]}


def as_transformers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same numbers under the names of a `CLIPModel`; names that nobody knows stay."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        block = _BLOCK.fullmatch(name)
        if block is None:
            found[_OUTSIDE.get(name, name)] = tensor.T.contiguous() if name in _TRANSPOSED else tensor
            continue
        place = f"{'vision' if block[1] else 'text'}_model.encoder.layers.{block[2]}"
        if block[3].startswith("attn.in_proj_"):
            kind = block[3].removeprefix("attn.in_proj_")
            for part, third in zip(("q", "k", "v"), tensor.chunk(3), strict=True):
                found[f"{place}.self_attn.{part}_proj.{kind}"] = third.clone()
        else:
            stem, _, kind = block[3].rpartition(".")
            found[f"{place}.{_IN_BLOCK.get(stem, stem)}.{kind}"] = tensor
    return found


def _tower(tensors: Mapping[str, Tensor], prefix: str, width: int) -> dict[str, int]:
    blocks = {int(m[2]) for name in tensors if name.startswith(prefix) and (m := _BLOCK.fullmatch(name))}
    return {
        "hidden_size": width,
        "intermediate_size": tensors[f"{prefix}resblocks.0.mlp.c_fc.weight"].shape[0],
        "num_hidden_layers": len(blocks),
        "num_attention_heads": max(width // _HEAD, 1),
        "projection_dim": tensors["text_projection"].shape[1],
    }


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return read_checkpoint(file)
    except UserError as error:
        if "is TorchScript" not in str(error):
            raise
        raise UserError(
            f"checkpoint {file}: is TorchScript, a program, as OpenAI publishes CLIP; state its sha256 if you trust "
            "it, or give what torch.save(torch.jit.load(FILE, map_location='cpu').state_dict(), 'clip.pt') writes"
        ) from error


def _state_dict(content: Mapping[str, Any], file: Path) -> dict[str, Tensor]:
    """The tensors among which OpenAI's names are, without what is no weight."""
    wanted = {*_OUTSIDE, "visual.transformer.resblocks.0.mlp.c_fc.weight", "transformer.resblocks.0.mlp.c_fc.weight"}
    found = max((entry.tensors for entry in groups(content)), key=lambda t: len(wanted & t.keys()), default={})
    if missing := sorted(wanted - found.keys()):
        raise UserError(
            f"checkpoint {file}: no CLIP with a ViT under OpenAI's names ({len(missing)} missing: {missing[0]}, ...; "
            f"it has {', '.join(list(found)[:3]) or 'no tensors'}); give that, or a folder of transformers"
        )
    return {name: tensor for name, tensor in found.items() if name not in _FACTS}
