"""Tiny CLIPs of random weights, as transformers saves them and as OpenAI names them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional

from tests.models.tiny_text import CLIP_TOKENS, LENGTH, save_clip_tokenizer, spread

SIDE, PATCH, WIDTH, DEPTH, FEATURES = 32, 8, 64, 3, 24  # OpenAI's heads have 64 channels


def save(folder: Path) -> Path:
    """A `CLIPModel` with its tokenizer of letters: images of 32², features (B,24)."""
    import transformers

    torch.manual_seed(0)
    common = {"intermediate_size": 16, "num_attention_heads": 2, "projection_dim": FEATURES}
    text = {
        "vocab_size": CLIP_TOKENS,
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "max_position_embeddings": LENGTH,
        "bos_token_id": CLIP_TOKENS - 2,
        "eos_token_id": CLIP_TOKENS - 1,
        "pad_token_id": CLIP_TOKENS - 1,
    }
    vision = {"hidden_size": 12, "num_hidden_layers": DEPTH, "image_size": SIDE, "patch_size": PATCH}
    config = transformers.CLIPConfig(text_config=common | text, vision_config=common | vision, projection_dim=FEATURES)
    spread(transformers.CLIPModel(config)).save_pretrained(folder)
    save_clip_tokenizer(folder)
    return folder


def openai_state() -> dict[str, torch.Tensor]:
    """A state dict of OpenAI's names, of a ViT and a text encoder of three blocks each, in half precision."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "positional_embedding": (LENGTH, WIDTH),
        "text_projection": (WIDTH, FEATURES),
        "token_embedding.weight": (CLIP_TOKENS, WIDTH),
        "visual.class_embedding": (WIDTH,),
        "visual.positional_embedding": ((SIDE // PATCH) ** 2 + 1, WIDTH),
        "visual.proj": (WIDTH, FEATURES),
        "visual.conv1.weight": (WIDTH, 3, PATCH, PATCH),
        "logit_scale": (),
    }
    for norm in ("ln_final", "visual.ln_pre", "visual.ln_post"):
        shapes |= {f"{norm}.weight": (WIDTH,), f"{norm}.bias": (WIDTH,)}
    for tower in ("", "visual."):
        for i in range(DEPTH):
            block = f"{tower}transformer.resblocks.{i}."
            shapes |= {f"{block}attn.in_proj_weight": (3 * WIDTH, WIDTH), f"{block}attn.in_proj_bias": (3 * WIDTH,)}
            for layer, out, into in (("attn.out_proj", 64, 64), ("mlp.c_fc", 96, 64), ("mlp.c_proj", 64, 96)):
                shapes |= {f"{block}{layer}.weight": (out, into), f"{block}{layer}.bias": (out,)}
            for norm in ("ln_1", "ln_2"):
                shapes |= {f"{block}{norm}.weight": (WIDTH,), f"{block}{norm}.bias": (WIDTH,)}
    drawn = {name: torch.randn(shape, generator=generator) * 0.2 for name, shape in shapes.items()}
    return {name: (tensor + (".ln_" in name and "weight" in name)).half() for name, tensor in drawn.items()}


def image_features(w: dict[str, torch.Tensor], seen: torch.Tensor, blocks: int = DEPTH) -> torch.Tensor:
    """What a network of that state dict says of prepared pictures; of fewer blocks than there are, the tokens."""
    patches = functional.conv2d(seen, w["visual.conv1.weight"], stride=PATCH).flatten(2).mT
    x = torch.cat([w["visual.class_embedding"].expand(len(seen), 1, -1), patches], 1) + w["visual.positional_embedding"]
    x = _transformed(_norm(x, w, "visual.ln_pre"), w, "visual.", blocks, None)
    return _norm(x[:, 0], w, "visual.ln_post") @ w["visual.proj"] if blocks == DEPTH else x


def text_features(w: dict[str, torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """What it says of token numbers (B,L)."""
    x = w["token_embedding.weight"][ids] + w["positional_embedding"]
    mask = torch.full((LENGTH, LENGTH), -torch.inf, dtype=x.dtype).triu(1)
    x = _norm(_transformed(x, w, "", DEPTH, mask), w, "ln_final")
    return x[torch.arange(len(ids)), ids.argmax(1)] @ w["text_projection"]


def _norm(x, w, name):
    return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def _transformed(x, w, tower, blocks, mask):
    for i in range(blocks):
        b = f"{tower}transformer.resblocks.{i}."
        y = _norm(x, w, f"{b}ln_1").transpose(0, 1)
        attended, _ = functional.multi_head_attention_forward(
            y, y, y, WIDTH, 1, w[f"{b}attn.in_proj_weight"], w[f"{b}attn.in_proj_bias"], None, None, False, 0.0,
            w[f"{b}attn.out_proj.weight"], w[f"{b}attn.out_proj.bias"], attn_mask=mask,
        )  # fmt: skip
        x = x + attended.transpose(0, 1)
        y = functional.linear(_norm(x, w, f"{b}ln_2"), w[f"{b}mlp.c_fc.weight"], w[f"{b}mlp.c_fc.bias"])
        x = x + functional.linear(y * torch.sigmoid(1.702 * y), w[f"{b}mlp.c_proj.weight"], w[f"{b}mlp.c_proj.bias"])
    return x
