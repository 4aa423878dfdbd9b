"""The tokenizer of the latent world, in the layout of CLIP: byte-level BPE whose merges make each word of the captions
one token. Other words are spelled in pieces.

Files: vocab.json, merges.txt, tokenizer_config.json, special_tokens_map.json (Radford et al. 2021, 2103.00020, 2.4).
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from dsg.data.portraits.captions import vocabulary

START, END = "<|startoftext|>", "<|endoftext|>"
MAX_LENGTH = 44  # tokens of a caption, with its start and end


def write_tokenizer(folder: Path) -> int:
    """Write the tokenizer's files into `folder`; returns how many tokens it knows."""
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    model = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="</w>"))
    model.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.BpeTrainer(
        vocab_size=10_000, min_frequency=1, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    model.train_from_iterator(vocabulary(), trainer)
    merges = [tuple(pair) for pair in json.loads(model.to_str())["model"]["merges"]]
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    tokens += dict.fromkeys(first + second for first, second in merges)
    known = {token: i for i, token in enumerate([*dict.fromkeys(tokens), START, END])}
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    config = {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": MAX_LENGTH, "do_lower_case": True,
        "add_prefix_space": False, "errors": "replace", **special,
    }  # fmt: skip
    (folder / "vocab.json").write_text(json.dumps(known, ensure_ascii=False) + "\n")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    return len(known)
