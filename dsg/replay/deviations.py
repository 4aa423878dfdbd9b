"""How far our arithmetic is from a recorded one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from dsg.diffusion.condition import ClassLabels
from dsg.errors import UserError
from dsg.process import ReverseProcess
from dsg.replay.record import RecordedNoise, Trajectory, load_network, read_record


def network_deviations(folder: Path) -> list[tuple[int, float]]:
    """(t, largest deviation) of every recorded output of the network in `folder`."""
    recorded, _ = read_record(folder / "forward.safetensors")
    if missing := {"x", "t", "out"} - recorded.keys():
        raise UserError(f"{folder}/forward.safetensors: no recorded outputs, {', '.join(sorted(missing))} missing")
    model = load_network(folder)
    labels = recorded.get("class_labels")
    deviations = []
    for i, t in enumerate(recorded["t"].tolist()):
        level, condition = model.schedule.level(t), None if labels is None else ClassLabels(labels[i : i + 1])
        with torch.no_grad():
            prediction = model(recorded["x"][i : i + 1], level, condition)
        output = [part for part in (prediction.epsilon, prediction.variance_range) if part is not None]
        deviations.append((t, _largest(torch.cat(output, dim=1), recorded["out"][i : i + 1])))
    return deviations


def step_deviations(trajectory: Trajectory) -> list[tuple[int, float]]:
    """(t, largest deviation of x_prev) of every step, each begun from the recorded state.

    This is what tells right arithmetic from wrong. A free run also adds up rounding, which some trajectories amplify
    thirtyfold a step; `drift` shows that.
    """
    recorded = trajectory.tensors
    process = _process(trajectory)
    states = [recorded["x_T"], *recorded["x_t"]]
    deviations = []
    for step, x_t, expected in zip(process.steps, states, recorded["x_t"], strict=False):
        with torch.no_grad():
            record = trajectory.sampler.guidance.step(*process.enter(x_t, step), process)
        deviations.append((int(step.t), _largest(record.x_prev, expected)))
    return deviations


def drift(trajectory: Trajectory) -> list[float]:
    """Largest deviation of the state after every step of a free run from the recorded x_T."""
    records = trajectory.sampler.run(_process(trajectory), trajectory.tensors["x_T"])
    return [_largest(r.x_prev, x) for r, x in zip(records, trajectory.tensors["x_t"], strict=True)]


def _process(trajectory: Trajectory) -> ReverseProcess:
    sampler, streams = trajectory.sampler, RecordedNoise(trajectory.tensors["noise"])
    return ReverseProcess(
        sampler.score_model, sampler.task, trajectory.measurement, sampler.kernel, streams,
        sampler.levels, clip_denoised=sampler.clip_denoised,
    )  # fmt: skip


def _largest(ours: Tensor, recorded: Tensor) -> float:
    return (ours - recorded).abs().max().item()
