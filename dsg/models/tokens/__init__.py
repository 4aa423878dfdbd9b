"""Models of masked tokens: what one is, a network of your own, a table of chances that is known exactly."""

from dsg.models.tokens.base import TokenModel
from dsg.models.tokens.judge import TableJudge
from dsg.models.tokens.network import NetworkTokens
from dsg.models.tokens.table import JointTable

__all__ = ["JointTable", "NetworkTokens", "TableJudge", "TokenModel"]
