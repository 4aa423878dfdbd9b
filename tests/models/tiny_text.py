"""Tiny text encoders of random weights with their tokenizers, written as their own library saves them."""

from __future__ import annotations

import json
from pathlib import Path

import torch

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CLIP_TOKENS, T5_TOKENS = 2 + 2 * len(LETTERS), 3 + len(LETTERS) + 1
LENGTH = 16  # tokens that a tiny CLIP takes, and letters in a text less two


def save_clip_tokenizer(folder: Path) -> None:
    """CLIP's own kind, with a token a letter, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": names[-2], "eos_token": names[-1], "unk_token": names[-1], "pad_token": names[-1]}
    content = {**special, "model_max_length": LENGTH, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(content))


def save_t5_tokenizer(folder: Path) -> None:
    """T5's kind, with a token a letter, as the files of a fast tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in LETTERS)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    content = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "extra_ids": 0}
    (folder / "tokenizer_config.json").write_text(json.dumps({**content, "tokenizer_class": "T5TokenizerFast"}))


def clip(width: int = 8, projected: bool = False):
    """A CLIP text encoder of two layers, whose numbers differ from text to text as those of a trained one do."""
    import transformers

    config = transformers.CLIPTextConfig(
        vocab_size=CLIP_TOKENS,
        hidden_size=width,
        intermediate_size=16,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        bos_token_id=CLIP_TOKENS - 2,
        eos_token_id=CLIP_TOKENS - 1,
        pad_token_id=CLIP_TOKENS - 1,
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return spread(kind(config))


def t5(width: int = 16):
    """A T5 encoder of two layers."""
    import transformers

    config = transformers.T5Config(
        vocab_size=T5_TOKENS, d_model=width, d_kv=4, d_ff=16, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu"
    )
    return spread(transformers.T5EncoderModel(config))


def spread(network):
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.5)
    return network.eval()
