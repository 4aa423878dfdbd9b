"""Models of masked tokens: what one is, a network of your own."""

from dsg.models.tokens.base import TokenModel
from dsg.models.tokens.network import NetworkTokens

__all__ = ["NetworkTokens", "TokenModel"]
