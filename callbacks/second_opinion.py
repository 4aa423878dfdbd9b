"""What networks that the sampler does not follow say of the same request: did the sample do it, or fool its guide?"""

from __future__ import annotations

import sys
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import nn

from callbacks.base import EvaluationCallback
from callbacks.independence import check_independent
from callbacks.judging import judging
from dsg.data.base import EvaluationData
from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UnreadableImage, UserError
from dsg.metrics.direction import GAP
from dsg.metrics.gap import fooled, gap
from dsg.module import BatchResult, SamplingModule
from dsg.types import Image, PerSample
from tasks import Sum, Task

OPTION = "callbacks.second_opinion.judges"


class SecondOpinion(EvaluationCallback):
    """Measures each example again by other tasks, and adds to every row what they say of the sample, as its file holds
    it, so of the 8-bit picture:

        judge_<score>  a judge's `scores`: judge_identity_similarity, judge_mean_iou, ...
        gap_<score>    the guide's minus the judge's, where the task that guides tells <score> too

    Their means with intervals are in metrics.json, that of a gap being the mean paired difference. A line in `warnings`
    says where the guide thinks better of the samples than the judge.

    Args:
        judges: tasks of the class of the one that guides, with networks that the sampler does not follow, or others. Of
            two that tell one name the second tells `<name>_2`, before its ending.

    Raises:
        UserError: before the first sample, for judges that do not fit the images or the data, tell nothing, or have the
            weights of a network that the sampler follows.
    """

    metrics = rf"(judge_|{GAP})\w+"

    def __init__(self, judges: list[Task]) -> None:
        if not judges:
            raise UserError(f"{OPTION}: names none; give a list of tasks, or take callbacks.second_opinion away")
        self.judge = judges[0] if len(judges) == 1 else Sum(judges)

    def networks(self) -> dict[str, nn.Module]:
        return {f"second_opinion.{i}": network for i, network in enumerate(self.judge.networks())}

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        shape, columns = module.model.image_shape, data.columns()
        if not module.model.medium.is_picture:
            raise UserError(f"{OPTION}: they look at pictures, and the samples have the shape {tuple(shape)}")
        if missing := sorted(self.judge.needs - columns):
            raise UserError(
                f"{OPTION}: {type(self.judge).__name__} needs {', '.join(missing)} of every example, and the data has "
                f"{', '.join(sorted(columns)) or 'no columns'}; add it to the data, or take another judge"
            )
        for network in self.judge.networks():
            check_independent(network, module, OPTION)
            network.to(module.device)
        try:
            self.judge.check(shape)
            self.judge.check_examples(data.known)
            if self._tells_nothing(module, data):
                raise UserError(f"{type(self.judge).__name__} tells no score of a sample; take a task that does")
        except UserError as error:
            raise UserError(f"{OPTION}: {error}") from error

    @torch.no_grad()
    def _tells_nothing(self, module: SamplingModule, data: EvaluationData) -> bool:
        """Whether it has no score for a grey sample of the first example that can be read."""
        for image_id in data.evaluated_ids():
            try:
                example = Examples.of([data.load(image_id)]).to(module.device)
            except UnreadableImage:
                continue
            grey = torch.zeros(1, *module.model.image_shape, device=module.device)
            return not self._ask(grey, example, NoiseStreams([SampleKey(module.seed, image_id)], module.device))
        return False

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if not outputs.keys:
            return
        with judging(pl_module, outputs) as judged:
            told = self._ask(judged, outputs.examples, NoiseStreams(outputs.keys, pl_module.device))
        for name, values in told.items():
            for row, value in zip(outputs.rows, values.tolist(), strict=True):
                if row["status"] == "ok":
                    row[f"judge_{name}"] = value
                    if name in row:
                        row[f"{GAP}{name}"] = gap(row[name], value)

    def complete(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        for line in fooled(metrics["metrics"]):
            metrics["warnings"] = [*metrics.get("warnings", []), line]
            print(f"warning: {line}", file=sys.stderr)

    def _ask(self, samples: Image, examples: Examples, streams: NoiseStreams) -> dict[str, PerSample]:
        return self.judge.scores(samples, self.judge.measure(examples, streams))
