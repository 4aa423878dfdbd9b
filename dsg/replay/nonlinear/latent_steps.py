"""Recorded steps and runs among latents with a prompt: style by DSG and FreeDoM, segmentation by Universal Guidance."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from dsg.combiners import ClassifierFree, Conditional
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.kernels import DDIM, DDPM, ReverseKernel
from dsg.diffusion.level import Step
from dsg.guidance import DSG, UGD, FreeDoM
from dsg.guidance.base import LossGuidance
from dsg.guidance.step_rules import OfCorrection
from dsg.replay.nonlinear.losses import Inside, segmentation, style
from dsg.replay.nonlinear.pixel_steps import steps_between
from dsg.replay.nonlinear.read import Record
from dsg.replay.nonlinear.stand_in import DrawsByRule, LatentStandIn, start
from dsg.replay.nonlinear.watched import Unguided, WatchedProcess, run

Method = Callable[[Record], tuple[LossGuidance, ReverseKernel]]
STEPS = 100


def style_dsg(record: Record) -> tuple[LossGuidance, ReverseKernel]:
    """DSG's code for style: guided while 70 > index ≥ 30 of the steps that are left, three times where index ≥ 40."""
    rate, eta = record.number("guidance_rate", 0.1), record.number("eta", 1.0)
    base = FreeDoM(repetitions=3, travel_start=30, travel_stop=60)
    return DSG(base, rate, start=30, stop=70), DDIM(eta)


def style_freedom(record: Record) -> tuple[LossGuidance, ReverseKernel]:
    """FreeDoM's code for Stable Diffusion."""
    return FreeDoM(0.2, 3, 30, 60, start=30, stop=70, rule=OfCorrection()), DDPM()


def style_steps(record: Record, method: Method) -> dict[str, Tensor]:
    """One step at each of some indices, by itself."""
    ours: dict[str, Tensor] = {}
    tag, levels = record.text("tag", "sd.dev.<index>"), _levels(LatentStandIn("sd.dev"))
    eta = record.number("eta", 0.0)  # of the codes' DDIM schedule, which FreeDoM makes and does not use
    losses: dict[str, Inside] = {}
    for case in json.loads(record.text("cases", "[]")):
        index, of = case["index"], f"index{case['index']}"
        named = "" if "ref_coarse" in record.tensors else f"{of}.gradient"
        inside = losses.setdefault(named, style(record, named))
        name, step = tag.replace("<index>", str(index)), levels[STEPS - 1 - index]
        noise = DrawsByRule(name, in_vain=True)
        process, x_prev = _taken(record, method, name, case["prompt"], inside, noise, [step], f"{name}.x")
        told = process.told("x_in", "eps_raw", "eps", "gradient", "loss") | {
            "x_prev": x_prev,
            "x0_hat_last": process.seen["x0_hat"][-1],
            "noise_draws": torch.tensor([noise.drawn]),
            "t": torch.tensor([int(step.t)]),
            "alpha_bar": torch.tensor([step.alpha_bar], dtype=torch.float64),
            "alpha_bar_prev": torch.tensor([step.prev.alpha_bar], dtype=torch.float64),
            "sigma": torch.tensor([eta * step.posterior_variance**0.5], dtype=torch.float64),
        }
        ours |= {f"{of}.{key}": value for key, value in told.items()}
    return ours


def style_trajectory(record: Record) -> dict[str, Tensor]:
    """A whole run of DSG's code with a prompt; the loss is that of each step's last repetition."""
    tag, inside = record.text("tag", "sd.dev.traj"), style(record, "")
    noise, levels = DrawsByRule(tag, first=1, in_vain=True), _levels(LatentStandIn("sd.dev"))
    process, final = _taken(record, style_dsg, tag, True, inside, noise, levels, f"{tag}.noise.0", "loss")
    told = process.told("x_in", "loss", "t")
    last = torch.tensor([*(told["t"][1:] != told["t"][:-1]).tolist(), True])
    return {
        "x_in": told["x_in"][::10],
        "x_final": final,
        "loss": told["loss"][last],
        "draws": torch.tensor([noise.drawn]),
        "evaluations": torch.tensor([len(told["t"])]),
    }


def ugd_forward(record: Record) -> dict[str, Tensor]:
    """Universal Guidance's own sampler, forward guidance and recurrence; its numbers of levels rise."""
    tag, count = record.text("tag", "ugd.dev"), int(record.number("steps", 4))
    model, inside = _model(tag), segmentation(record)
    guidance = UGD(record.number("weight", 4.0), recurrence=int(record.number("recurrence", 2)))
    noise, steps = DrawsByRule(tag, first=1, in_vain=True), _levels(model, count)
    process = WatchedProcess(
        model, inside.task, inside.measurement, DDIM(record.number("eta", 0.0)), noise, steps, ClassLabels(_PROMPT),
        combiner=ClassifierFree(record.number("cfg_scale", 2.0)), gradients=inside.recorded(),
    )  # fmt: skip
    final = run(guidance, start(f"{tag}.noise.0", model.shape), process, steps)[-1]
    told, rising = process.told("x_in", "eps_raw", "gradient", "loss"), steps[::-1]
    minus = {"gradient_of_minus_loss": -told["gradient"]}
    return (
        told
        | minus
        | ({"minus_loss": -told["loss"]} if "loss" in told else {})
        | {
            "x_final": final,
            "draws": torch.tensor([noise.drawn]),
            "t": torch.tensor([int(step.t) for step in rising]),
            "alpha_bar": torch.tensor([step.alpha_bar for step in rising], dtype=torch.float64),
            "alpha_bar_prev": torch.tensor([step.prev.alpha_bar for step in rising], dtype=torch.float64),
        }
    )


_PROMPT = torch.zeros(1, dtype=torch.long)


def _model(tag: str) -> LatentStandIn:
    """The set is the second word of a tag."""
    return LatentStandIn(f"sd.{tag.split('.')[1]}")


def _levels(model: LatentStandIn, count: int = STEPS) -> list[Step]:
    """The codes' steps: from t = 1, 1 + stride, ..., each to the next lower one, and the lowest to t = 0, not to the
    data."""
    times = list(range(1, len(model.table), len(model.table) // count))[::-1]
    return steps_between(model.table, times, [*times[1:], 0])


def _taken(
    record: Record,
    method: Method,
    tag: str,
    prompt: bool,
    inside: Inside,
    noise: DrawsByRule,
    steps: Sequence[Step],
    begins: str,
    unguided: Unguided = "nothing",
) -> tuple[WatchedProcess, Tensor]:
    """The process that kept everything, and the state after `steps`; without a prompt the empty one alone is asked."""
    (guidance, kernel), model = method(record), _model(tag)
    process = WatchedProcess(
        model, inside.task, inside.measurement, kernel, noise, steps, ClassLabels(_PROMPT) if prompt else None,
        combiner=ClassifierFree(record.number("cfg_scale", 5.0)) if prompt else Conditional(),
        unguided=unguided, gradients=inside.recorded(),
    )  # fmt: skip
    return process, run(guidance, start(begins, model.shape), process, steps)[-1]


LATENT_STEPS: Mapping[str, Callable[[Record], Mapping[str, Tensor]]] = {
    "step_sd_style_dsg": lambda record: style_steps(record, style_dsg),
    "step_sd_style_freedom": lambda record: style_steps(record, style_freedom),
    "step_ugd_forward": ugd_forward,
    "trajectory_sd_style": style_trajectory,
}
