"""The exact classifier of a table of chances, as a judge of its samples."""

from __future__ import annotations

from torch import Tensor, nn

from dsg.errors import UserError
from dsg.models.tokens.base import one_hot
from dsg.models.tokens.table import JointTable


class TableJudge(nn.Module):
    """log p(c, x) of samples for every class: (B, L) whole numbers → (B, K) float64.

    Args:
        table: with classes; the one that is sampled, or another one.

    Raises:
        UserError: if the table has no classes, or a number is no token of it.
    """

    def __init__(self, table: JointTable) -> None:
        super().__init__()
        if table.num_classes is None:
            raise UserError("TableJudge: the table has one class alone; give it several")
        self.table = table
        self.num_classes = table.num_classes

    def forward(self, samples: Tensor) -> Tensor:
        tokens = samples.long()
        self.table.check_tokens(tokens)
        return self.table.class_log_prob(one_hot(tokens, self.table.vocabulary + 1))
