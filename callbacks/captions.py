"""Whether each portrait shows what its caption names, as a judge sees it that no sampler follows."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer
from torch import nn

from callbacks.base import EvaluationCallback
from callbacks.independence import check_independent
from callbacks.judging import judging
from dsg.data.base import EvaluationData
from dsg.data.examples import PROMPT
from dsg.data.portraits import named_in
from dsg.errors import UserError
from dsg.models.portraits.attribute_judge import AttributeJudge
from dsg.models.portraits.twin import SHAPE
from dsg.models.text.prompts import Prompts
from dsg.module import BatchResult, SamplingModule

OPTIONS = "callbacks.captions"


class Captions(EvaluationCallback):
    """Adds to the row of every sample, judged as its file holds it, so as the 8-bit picture:

        judge_caption_accuracy  the share of the facts that its text names which the judge sees in the picture
        judge_<fact>_accuracy   1 where the judge sees that one, 0 where not; of the texts that name it

    Their means are in metrics.json. A text that names nothing has none of these columns. Facts are read of a text by
    `dsg.data.portraits.named_in`, so that texts of one's own are judged in the same words.

    Args:
        prompt: the text of all samples; null takes each image's from the data.
        prompt_column: of the data, read where `prompt` is null.
        checkpoint: the judge's weights; null are those that come with the library.

    Raises:
        UserError: before the first sample, for samples that are no portraits of 64x64, a column that is not there, or a
            `prompt` that names nothing.
    """

    metrics = r"judge_\w+_accuracy"

    def __init__(self, prompt: str | None = None, prompt_column: str = PROMPT, checkpoint: str | None = None) -> None:
        if prompt is not None and not named_in(prompt):
            raise UserError(
                f"{OPTIONS}.prompt: {prompt!r} names nothing that the judge knows; say it in the words of "
                "dsg.data.portraits.caption"
            )
        self.texts = Prompts(f"{OPTIONS}.prompt", prompt, prompt_column)
        self.judge = AttributeJudge(checkpoint)

    def networks(self) -> dict[str, nn.Module]:
        return {"captions.judge": self.judge}

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        if (shape := tuple(module.model.image_shape)) != SHAPE:
            raise UserError(
                f"{OPTIONS}: judges portraits of 3x64x64, and the samples are {'x'.join(map(str, shape))}; leave it out"
            )
        if missing := self.texts.columns - data.columns():
            raise UserError(f"{OPTIONS}: the data has no column {', '.join(missing)}; {self.texts.mend}")
        check_independent(self.judge, module, OPTIONS)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if not outputs.keys:
            return
        told = [named_in(text) for text in self.texts.of(outputs.examples)]
        with judging(pl_module, outputs) as judged:
            answers = self.judge.agrees(judged, told)
        for row, answer in zip(outputs.rows, answers, strict=True):
            if row["status"] == "ok" and answer:
                row["judge_caption_accuracy"] = sum(answer.values()) / len(answer)
                row.update({f"judge_{fact}_accuracy": int(seen) for fact, seen in answer.items()})
