"""The exact classifier of partly masked sequences of a table of chances."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from dsg.errors import UserError
from dsg.masked.combiners.classifier import TokenClassifier
from dsg.models.tokens import JointTable


class TableClassifier(TokenClassifier):
    """p(c | x_t) of a table, linear in each row of one-hot weights, so that the first order is of something.

    Args:
        table: with classes.

    Raises:
        UserError: if the table has no classes.
    """

    def __init__(self, table: JointTable) -> None:
        super().__init__()
        if table.num_classes is None:
            raise UserError("TableClassifier: the table has one class alone; give it several")
        self.table = table
        self.num_classes, self.length, self.vocabulary = table.num_classes, table.length, table.vocabulary

    def forward(self, weights: Float[Tensor, "B L V1"]) -> Float[Tensor, "B K"]:
        return self.table.class_log_prob(weights)
