"""Where the text of each image comes from: one for all, or a column of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from dsg.data.examples import Examples, Value
from dsg.errors import UserError

OPTIONS = "model.score_model"  # where an evaluation has the options of its model, for messages


@dataclass(frozen=True)
class Prompts:
    """The texts of one kind, prompts or negative prompts.

    Args:
        option: the model's option that `text` is, for messages, as `model.score_model.prompt`.
        text: of every image, perhaps empty; None takes the column.
        column: of the data.
    """

    option: str
    text: str | None
    column: str

    @classmethod
    def both(
        cls, prompt: str | None, prompt_column: str, negative_prompt: str | None, negative_prompt_column: str
    ) -> tuple[Prompts, Prompts]:
        """Those of a model's options of these names, and the negative ones."""
        negative = cls(f"{OPTIONS}.negative_prompt", negative_prompt, negative_prompt_column)
        return cls(f"{OPTIONS}.prompt", prompt, prompt_column), negative

    @property
    def columns(self) -> frozenset[str]:
        """What is read of the data."""
        return frozenset({self.column} if self.text is None else ())

    @property
    def mend(self) -> str:
        """What to do where the data has no such column."""
        return f"give the data's metadata a column {self.column}, or set {self.option}, one text for all images"

    def of(self, examples: Examples) -> list[str]:
        """B texts.

        Raises:
            UserError: if the column is not there, or is of numbers.
        """
        if self.text is not None:
            return [self.text] * len(examples)
        if self.column not in examples:
            raise UserError(f"{self.option}: the data has no column {self.column}; {self.mend}")
        values = examples[self.column]
        if isinstance(values, Tensor):
            raise UserError(self._numbers())
        return values

    def known(self, known: Callable[[str], Mapping[str, Value]]) -> dict[str, str]:
        """The texts that can be told before any example is loaded, each by whose it is.

        Args:
            known: of a column, the values by image id; empty where they are not known.

        Raises:
            UserError: if the column is of numbers.
        """
        if self.text is not None:
            return {self.option: self.text}
        texts = {f"{self.column} of {image_id}": value for image_id, value in known(self.column).items()}
        if not all(isinstance(value, str) for value in texts.values()):
            raise UserError(self._numbers())
        return {whose: str(value) for whose, value in texts.items()}

    def _numbers(self) -> str:
        return f"{self.option}: the data's column {self.column} is of numbers or images, and texts are needed; mend it"
