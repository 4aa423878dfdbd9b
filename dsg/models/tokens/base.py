"""What a token model is: a frozen network that guesses the masked tokens of a sequence from those that are seen."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dsg.diffusion.condition import Condition
from dsg.errors import UserError
from dsg.models.frozen import FrozenModel

Tokens = Int[Tensor, "B L"]
LogChances = Float[Tensor, "B L V"]


class TokenModel(FrozenModel):
    """p(x_i = v | x_t, c) of sequences in which some tokens are masked.

    A state is L whole numbers: 0 to V−1 are the vocabulary, V is the mask. Of a masked process these chances do not
    hang on the time, so that the model is not told it (Ou et al. 2024, 2406.03736, theorem 1).

    Beside what every frozen model has, subclasses set `vocabulary`, and `shape`, which is (L,). Without a `decode` of
    its own the tokens themselves are the sample, as L numbers.
    """

    vocabulary: int

    @abstractmethod
    def forward(self, tokens: Tokens, condition: Condition | None = None) -> LogChances:
        """log p(x_i = v | x_t, c), float32 or better; what stands where a token is seen is not read.

        Args:
            tokens: (B, L) int64 from 0 to V.
            condition: what `condition` made; None is unconditional.
        """

    @property
    def length(self) -> int:
        """L."""
        return self.shape[0]

    @property
    def mask(self) -> int:
        """V, the token that says nothing."""
        return self.vocabulary

    def masked(self, count: int, device: torch.device | str = "cpu") -> Tokens:
        """Where every trajectory begins: (count, L), all masked."""
        return torch.full((count, self.length), self.mask, device=device)

    @property
    def has_decoder(self) -> bool:
        return type(self).decode is not TokenModel.decode

    def decode(self, state: Tokens) -> Tensor:
        """Tokens without masks → samples (B, *image_shape); here the tokens as numbers."""
        self.check_tokens(state)
        return state.float()

    def check_tokens(self, tokens: Tensor) -> None:
        """Raise UserError unless every token is in the vocabulary."""
        if tokens.shape[1:] != self.shape:
            raise UserError(f"{self._name}: needs {self.length} tokens, got {tuple(tokens.shape[1:])}")
        outside = (tokens < 0) | (tokens >= self.vocabulary)
        if outside.any():
            token = int(tokens[outside][0])
            mended = "unmask it first" if token == self.mask else "take the model that the tokens were made for"
            said = "the mask" if token == self.mask else str(token)
            raise UserError(f"{self._name}: knows the tokens 0 to {self.vocabulary - 1}, got {said}; {mended}")

    @property
    def _name(self) -> str:
        return type(self).__name__


def one_hot(tokens: Int[Tensor, ...], count: int) -> Bool[Tensor, ...]:
    """Rows that are true at each token alone, (...,) → (..., count); torch's own may read the tokens off the device."""
    return tokens[..., None] == torch.arange(count, device=tokens.device)
