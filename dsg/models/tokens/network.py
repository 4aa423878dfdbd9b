"""A masked network of your own as a token model."""

from __future__ import annotations

import torch
from torch import nn

from dsg.diffusion.condition import Condition
from dsg.errors import UserError
from dsg.models.checkpoint import load_exactly
from dsg.models.labels import labels_for
from dsg.models.tokens.base import LogChances, TokenModel, Tokens
from dsg.models.weights import sha256_of_tensors


class NetworkTokens(TokenModel):
    """Any `nn.Module` that guesses masked tokens, called as `network(tokens)` or `network(tokens, labels)`.

    tokens are (B, L) int64, labels (B,) int64; the answer is logits (B, L, ≥ V), or an object with `logits`. Only the
    first V are read, so that the network's own mask is never drawn (Sahoo et al. 2024, 2406.07524, 3.2).

    Args:
        network: the module, by `class_path` in a config.
        length: L.
        vocabulary: V, the tokens that a sample may have: 0 to V−1.
        mask_id: the network's own number of the mask; null is V.
        num_classes: number of classes of a conditional network; null is unconditional, and called without labels.
        null_class: the label that means "no class" in a network trained with dropped labels; null if there is none.
        checkpoint: state dict (.safetensors, or .pt without code) that has to fit to the last name. Null leaves the
            network as it was constructed.

    Raises:
        UserError: if the mask is a token of the vocabulary, a checkpoint does not fit, or the network answers fewer
            than V logits.
    """

    def __init__(
        self,
        network: nn.Module,
        length: int,
        vocabulary: int,
        mask_id: int | None = None,
        num_classes: int | None = None,
        null_class: int | None = None,
        checkpoint: str | None = None,
    ) -> None:
        super().__init__()
        if min(length, vocabulary) < 1:
            raise UserError(f"NetworkTokens: length and vocabulary must be at least 1, got {length} and {vocabulary}")
        self.mask_id = vocabulary if mask_id is None else mask_id
        if self.mask_id < vocabulary:
            raise UserError(
                f"NetworkTokens: mask_id {self.mask_id} is a token of the vocabulary 0 to {vocabulary - 1}; give the "
                "mask a number of its own, or a smaller vocabulary"
            )
        if null_class is not None and num_classes is None:
            raise UserError("NetworkTokens: null_class needs num_classes")
        if checkpoint is not None:
            self.weight_files = load_exactly(network, checkpoint)
        self.network = network
        self.shape, self.vocabulary = (length,), vocabulary
        self.num_classes, self.null_class = num_classes, null_class
        self.freeze()

    @property
    def weights(self) -> dict[str, str]:
        """Of the files; of a network that came from none, of the tensors that it has now."""
        return super().weights or {"network": f"sha256:{sha256_of_tensors(self.network)}"}

    def forward(self, tokens: Tokens, condition: Condition | None = None) -> LogChances:
        labels = labels_for(tokens, condition, self.num_classes, self.null_class)
        own = torch.where(tokens == self.mask, self.mask_id, tokens)
        answer = self.network(own) if labels is None else self.network(own, labels)
        logits = getattr(answer, "logits", answer)
        if logits.ndim != 3 or logits.shape[:2] != tokens.shape or logits.shape[2] < self.vocabulary:
            raise UserError(
                f"NetworkTokens: the network answers {tuple(logits.shape)} to {tuple(tokens.shape)} tokens of "
                f"{self.vocabulary}; it has to answer (B, L, V) logits"
            )
        return logits[..., : self.vocabulary].float().log_softmax(-1)
