"""One text encoder of transformers with its tokenizer: frozen, in its own precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from dsg.errors import UserError, first_line
from dsg.models.precision import KeepsPrecision
from dsg.models.pretrained.component import Component, build, load_weights
from dsg.models.text.extra import transformers
from dsg.models.text.tokenizer import Tokenizer
from dsg.models.weights import TellsWeights, WeightFiles

Precision = Literal["float32", "bfloat16"]  # in float16 the layers of T5 overflow

CLIP, PROJECTED_CLIP, T5 = "CLIPTextModel", "CLIPTextModelWithProjection", "T5EncoderModel"
_PREFIX = "text_model."  # which CLIPTextModel has in files and, of transformers before version 5, in the network
_OLD_TABLES = tuple(f"{prefix}embeddings.position_ids" for prefix in ("", _PREFIX))  # of transformers before 4.31
_TIED = {"encoder.embed_tokens.weight": "shared.weight"}  # of T5


class Encoded(NamedTuple):
    """What an encoder says of B texts, float32.

    Args:
        last: (B, L, W), of its last layer, normalised.
        penultimate: (B, L, W), of the layer before the last, not normalised; None of T5.
        pooled: (B, P), at the token that ends the text, projected where the encoder does so; None of T5.
    """

    last: Tensor
    penultimate: Tensor | None
    pooled: Tensor | None


class TextEncoder(TellsWeights, KeepsPrecision):
    """`CLIPTextModel`, `CLIPTextModelWithProjection` or `T5EncoderModel`.

    Args:
        component: of a pipeline.
        tokenizer: its own.
        dtype: of weights and activations, whatever the Trainer's precision is; what comes out is float32.

    Raises:
        UserError: if transformers is not installed or cannot build it, its weights do not fit, it has fewer tokens than
            the tokenizer, or another dtype is named.
    """

    def __init__(self, component: Component, tokenizer: Tokenizer, dtype: Precision = "float32") -> None:
        super().__init__()
        if dtype not in get_args(Precision):
            raise UserError(f"text_dtype: must be one of {', '.join(get_args(Precision))}, got {dtype!r}")
        self.tokenizer, self.class_name, self.folder = tokenizer, component.class_name, component.folder
        self.network = self._network(component, getattr(torch, dtype))
        files = component.files() | tokenizer.files()
        self.weight_files = WeightFiles(files)
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def blank(self) -> Encoded:
        """What it would say of one text, in its shapes and on no device."""
        config, length = self.network.config, self.tokenizer.length
        tokens = torch.zeros(1, length, config.hidden_size, device="meta")
        if self.class_name == T5:
            return Encoded(tokens, None, None)
        width = config.hidden_size if self.class_name == CLIP else config.projection_dim
        return Encoded(tokens, tokens, torch.zeros(1, width, device="meta"))

    def forward(self, texts: Sequence[str]) -> Encoded:
        """What it says of the texts, on its device."""
        ids, mask = (x.to(self.device) for x in self.tokenizer(texts))
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            if self.class_name == T5:
                return Encoded(self.network(ids).last_hidden_state.float(), None, None)
            mask = mask if getattr(self.network.config, "use_attention_mask", False) else None
            answer = self.network(ids, attention_mask=mask, output_hidden_states=True)
        pooled = answer.pooler_output if self.class_name == CLIP else answer.text_embeds
        return Encoded(answer.last_hidden_state.float(), answer.hidden_states[-2].float(), pooled.float())

    def train(self, mode: bool = True) -> TextEncoder:
        """Stay in evaluation mode."""
        return super().train(False)

    def _network(self, component: Component, dtype: torch.dtype) -> Any:
        kind, file = getattr(transformers(), component.class_name), component.config_file

        def make() -> nn.Module:
            return kind(kind.config_class.from_dict(component.config))

        network: Any = build(make, file, "transformers")
        _try(network, component, self.tokenizer)
        t5 = component.class_name == T5
        load_weights(
            network,
            component.weights,
            make,
            _renaming(network, component),
            _OLD_TABLES,
            dtype,
            tied=_TIED if t5 else {},
        )
        if t5:
            network.set_input_embeddings(network.shared)  # one table, and not two of the same numbers
        return network


def _renaming(network: nn.Module, component: Component) -> Callable[[str], str]:
    """Names in files → as the network has them: of CLIPTextModel both with and without its prefix."""
    if component.class_name != CLIP:
        return str
    prefix = _PREFIX if any(name.startswith(_PREFIX) for name in network.state_dict()) else ""
    return lambda name: prefix + name.removeprefix(_PREFIX)


def _try(network: Any, component: Component, tokenizer: Tokenizer) -> None:
    """Refuse an encoder that does not take what its tokenizer makes."""
    config, known = component.config_file, network.config.vocab_size
    if len(tokenizer) > known:
        raise UserError(
            f"{config}: vocab_size {known} is less than the {len(tokenizer)} tokens of {tokenizer.folder}; take both "
            "of one pipeline"
        )
    try:
        with torch.no_grad():
            network(torch.zeros(1, tokenizer.length, dtype=torch.long, device="meta"))
    except Exception as error:  # a configuration is foreign input, and the library raises what Python raises
        raise UserError(
            f"{config}: the text encoder cannot take {tokenizer.length} tokens ({first_line(error)}); correct it, or "
            f"model_max_length of {tokenizer.folder}"
        ) from error
