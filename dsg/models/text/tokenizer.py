"""Tokenizers of transformers, from folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from dsg.errors import UserError, first_line
from dsg.models.text.extra import transformers

_UNSTATED = 1_000_000  # transformers writes a number beyond all texts where a tokenizer states no length


class Tokenizer:
    """Texts → token numbers, all padded to one length. It asks no network.

    Args:
        folder: of the tokenizer in a pipeline.
        class_name: in transformers, as `CLIPTokenizer`; that of the pipeline's index.
        longest: the most tokens that the encoder takes; None is what the tokenizer states.

    Raises:
        UserError: if its files are missing or no such tokenizer.
    """

    def __init__(self, folder: Path, class_name: str, longest: int | None = None) -> None:
        self.folder = folder
        self._tokenizer = _load(folder, class_name)
        stated = self._tokenizer.model_max_length
        if not all(isinstance(n, int | float | None) for n in (longest, stated)):
            raise UserError(f"{folder}: model_max_length and max_position_embeddings must be numbers; correct the file")
        lengths = [n for n in (longest, stated if stated < _UNSTATED else None) if n is not None]
        if not lengths:
            raise UserError(f"{folder / 'tokenizer_config.json'}: model_max_length is missing; write how many it takes")
        if self._tokenizer.pad_token_id is None:
            raise UserError(f"{folder}: the tokenizer has no pad_token; name one in tokenizer_config.json")
        self.length = min(lengths)

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self._tokenizer)

    def count(self, text: str) -> int:
        """The tokens of a text, with those that begin and end it."""
        return len(self._tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token numbers, and 1 where they are none of padding, both (B, length) int64; longer texts are cut."""
        answer = self._tokenizer(
            list(texts), padding="max_length", max_length=self.length, truncation=True, return_tensors="pt"
        )
        mask = answer.get("attention_mask")
        return answer["input_ids"], answer["input_ids"].ne(
            self._tokenizer.pad_token_id
        ).long() if mask is None else mask

    def files(self) -> dict[str, Path]:
        """All of its files by the names under which their hashes are told."""
        return {f"{self.folder.name}/{file.name}": file for file in sorted(self.folder.iterdir()) if file.is_file()}


def _missing(folder: Path, names: Mapping[str, str]) -> str:
    """Which file of a vocabulary is missing; some versions of the library then make one of three tokens."""
    whole = names.get("tokenizer_file", "tokenizer.json")
    pieces = [name for kind, name in names.items() if kind != "tokenizer_file"]
    if (folder / whole).is_file() or (pieces and all((folder / name).is_file() for name in pieces)):
        return ""
    return next((name for name in pieces if not (folder / name).is_file()), whole)


def _load(folder: Path, class_name: str) -> Any:
    library = transformers()
    kind = getattr(library, class_name, None)
    if not isinstance(kind, type) or not issubclass(kind, library.PreTrainedTokenizerBase):
        raise UserError(f"{folder}: {class_name} is no tokenizer of transformers; correct model_index.json")
    if missing := _missing(folder, kind.vocab_files_names):
        raise UserError(f"{folder}: of the {class_name}, {missing} is missing; copy it there too")
    try:
        return kind.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # its files are foreign input, and the library raises what Python raises
        raise UserError(
            f"{folder}: transformers cannot read this {class_name} ({first_line(error)}); download it again, or "
            "install what it asks for"
        ) from error
