"""Whether a judge can judge a run: it has to know the classes, and must not be what the sampler follows."""

from __future__ import annotations

import torch
from torch import nn

from dsg.data.base import EvaluationData
from dsg.errors import UserError
from dsg.module import GuidedDiffusion
from tasks import ClassLabel
from tasks.networks.classifier import count_classes

OPTION = "callbacks.classification.judge"


def check_judge(judge: nn.Module, module: GuidedDiffusion, data: EvaluationData) -> None:
    """Raise UserError unless `judge` knows the classes of the run and is independent of its guidance."""
    shape, task = module.score_model.image_shape, module.sampler.task
    known = count_classes(judge, shape, OPTION)
    if isinstance(task, ClassLabel):
        needed = task.num_classes(shape)
    else:
        largest = data.largest_label()
        if largest is None:
            raise UserError(
                f"{OPTION}: {type(task).__name__} asks for no class and the data has no labels; set data.labels, or "
                "leave the judge out"
            )
        needed = largest + 1
    if known < needed or (isinstance(task, ClassLabel) and known != needed):
        raise UserError(f"{OPTION}: it knows {known} classes and there are {needed}; take a judge of the same ones")
    followed = [*module.task_networks, *module.combiner_networks, *module.guidance_networks]
    if any(_same_weights(judge, network) for network in followed):
        raise UserError(
            f"{OPTION}: it has the weights of the classifier that the sampler follows, which a sample can fool; take "
            "another one"
        )


def _same_weights(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules have the same learned weights; closed forms have none."""
    own, others = list(one.state_dict().values()), list(other.state_dict().values())
    return (
        bool(own)
        and len(own) == len(others)
        and all(a.shape == b.shape and torch.equal(a.cpu(), b.cpu()) for a, b in zip(own, others, strict=True))
    )
