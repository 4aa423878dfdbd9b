"""Recorded steps and runs among pixels: faces like another one by DSG and FreeDoM, a text by FreeDoM."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dsg.diffusion.kernels import DDIM, DDPM, Renoise, ReverseKernel
from dsg.diffusion.level import CLEAN, Step
from dsg.diffusion.schedule import NoiseSchedule
from dsg.guidance import DSG, FreeDoM
from dsg.guidance.base import LossGuidance
from dsg.guidance.step_rules import Normalised
from dsg.replay.nonlinear.losses import Inside, identity, text
from dsg.replay.nonlinear.read import Record
from dsg.replay.nonlinear.stand_in import DrawsByRule, PixelStandIn, start
from dsg.replay.nonlinear.watched import Unguided, WatchedProcess, run

Method = Callable[[Record], tuple[LossGuidance, ReverseKernel]]
_LEVELS = ("t", "t_prev", "alpha_bar", "alpha_bar_prev")
_KEPT = ("eps", "x0_hat", "gradient", "loss", *_LEVELS)


def face_dsg(record: Record) -> tuple[LossGuidance, ReverseKernel]:
    """DSG's code: guided where t > stop, DDIM with η = 1."""
    return DSG(guidance_rate=record.number("guidance_rate", 0.05), t_low=record.number("stop", 100) + 1), DDIM(1.0)


def face_freedom(record: Record) -> tuple[LossGuidance, ReverseKernel]:
    """FreeDoM's code for faces."""
    return FreeDoM(record.number("rho_scale", 100.0), t_low=record.number("stop", 100) + 1), Renoise(0.5)


def face_steps(record: Record, method: Method) -> dict[str, Tensor]:
    """Steps that follow each other, at the size of `x`; and one at 256², `big_`, where there is one."""
    face = Face(record, method, identity(record))
    tag, side = record.text("tag", "face.dev"), record["x"].shape[-1]
    told = face.run(f"{tag}.{side}", side, record["t"].tolist(), record["t_prev"].tolist())
    ours = {name: told[name] for name in ("x", *_KEPT) if name in told}
    if "big_t" not in record.tensors:
        return ours
    big = face.run(f"{tag}.256", 256, record["big_t"].tolist(), record["big_t_prev"].tolist())
    return ours | {f"big_{name}": big[name] for name in ("x_t", "x_prev", *_KEPT)}


def face_trajectories(record: Record) -> dict[str, Tensor]:
    """Whole runs of both, from one start."""
    tag, side = record.text("tag", "face.dev.traj"), record["dsg.x_final"].shape[-1]
    first, stop, stride = map(int, re.findall(r"\d+", record.text("timesteps", "range(0,1000,20)")))
    times = list(range(first, stop, stride))[::-1]
    inside, ours = identity(record), {}
    for name, method in (("dsg", face_dsg), ("freedom", face_freedom)):
        told = Face(record, method, inside, "loss").run(tag, side, times, [*times[1:], -1])
        ours |= {f"{name}.x_final": told["x_prev"][-1:], f"{name}.loss": told["loss"]}
    return ours


@dataclass(frozen=True)
class Face:
    """What steps towards a face are taken with.

    Args:
        record: of them.
        method: whose.
        inside: the loss.
        unguided: what is told of steps that are not guided.
    """

    record: Record
    method: Method
    inside: Inside
    unguided: Unguided = "gradient"

    def run(self, tag: str, side: int, times: Sequence[int], following: Sequence[int]) -> dict[str, Tensor]:
        """Everything about the steps from each of `times` to the one that follows it, from the start of the tag."""
        guidance, kernel = self.method(self.record)
        model, inside = PixelStandIn(side), self.inside
        steps = steps_between(model.table, times, following)
        process = WatchedProcess(
            model, inside.task, inside.measurement, kernel, DrawsByRule(tag), steps,
            unguided=self.unguided, gradients=inside.recorded(),
        )  # fmt: skip
        states = torch.cat(run(guidance, start(f"{tag}.x", model.shape), process, steps))
        levels = {
            "t_prev": torch.tensor(following),
            "alpha_bar": torch.tensor([step.alpha_bar for step in steps], dtype=torch.float64),
            "alpha_bar_prev": torch.tensor([step.prev.alpha_bar for step in steps], dtype=torch.float64),
        }
        told = process.told("eps", "x0_hat", "gradient", "loss", "t")
        return told | levels | {"x": states, "x_t": states[:-1], "x_prev": states[1:]}


def text_freedom(record: Record) -> dict[str, Tensor]:
    """FreeDoM's code of CLIP, with the ten repetitions of ImageNet where 500 ≤ t ≤ 800."""
    tag, side = record.text("tag", "cliptext.dev"), record["x_in"].shape[-1]
    times = sorted(json.loads(record.text("timesteps", "[]")), reverse=True)
    model = PixelStandIn(side)
    steps = steps_between(model.table, times, [*times[1:], -1])
    travels = [step.position for step in steps if 500 <= step.t <= 800]
    window = (10, travels[0], travels[-1] + 1) if travels else (1,)
    guidance, noise = FreeDoM(0.02, *window, rule=Normalised()), DrawsByRule(tag)
    inside = text(record)
    process = WatchedProcess(model, inside.task, inside.measurement, DDPM(), noise, steps, gradients=inside.recorded())
    final = run(guidance, start(f"{tag}.x", model.shape), process, steps)[-1]
    told = process.told("x_in", "eps", "gradient", "loss", "t")
    return told | {"x_final": final, "draws": torch.tensor([noise.drawn])}


def steps_between(schedule: NoiseSchedule, times: Sequence[int], following: Sequence[int]) -> list[Step]:
    """Steps from each timestep to the one that follows it; −1 is the clean end. Only a step that ends there is last."""
    after = 0 if following[-1] == -1 else 1
    total = len(times) + after
    levels = [CLEAN if t == -1 else schedule.level(t) for t in following]
    return [
        Step(level.t, level.log_snr, prev, total - 1 - i, total)
        for i, (level, prev) in enumerate(zip(map(schedule.level, times), levels, strict=True))
    ]


PIXEL_STEPS: Mapping[str, Callable[[Record], Mapping[str, Tensor]]] = {
    "step_face_dsg": lambda record: face_steps(record, face_dsg),
    "step_face_freedom": lambda record: face_steps(record, face_freedom),
    "step_clip_text_freedom": text_freedom,
    "trajectory_face": face_trajectories,
}
