"""Recorded runs: what the files hold, as the project's own objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from dsg.diffusion.kernels import DDIM, DDPM, ReverseKernel
from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.guidance import DPS, DSG, Guidance
from dsg.models.adm import ADM
from dsg.sampling import Sampler
from tasks import GaussianDeblurring, RandomInpainting, SuperResolution
from tasks.base import InverseProblem, Measurement
from tasks.operators.mask import Mask

Tensors = dict[str, Tensor]
Metadata = dict[str, str]


class RecordedNoise(NoiseStreams):
    """Gives the recorded z of each reverse step, (S,B,*shape), in place of drawn ones."""

    def __init__(self, noise: Tensor) -> None:
        super().__init__([], noise.device)
        self._remaining: Iterator[Tensor] = iter(noise)

    def normal(self, purpose: Purpose, shape) -> Tensor:
        if purpose != Purpose.REVERSE:
            raise UserError(f"a recorded trajectory has no noise for {purpose}")
        return next(self._remaining)


def read_record(path: Path) -> tuple[Tensors, Metadata]:
    """Tensors and metadata of a safetensors file. Raises UserError if it is none."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in list(file.keys())}, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: no readable safetensors file: {error}") from error


def read_metadata(path: Path) -> Metadata:
    """What a safetensors file says of itself, without its tensors. Raises UserError if it is none."""
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: no readable safetensors file: {error}") from error


def read_options(folder: Path) -> dict[str, Any]:
    """The options in a network's `config.json`. Raises UserError if there are none."""
    try:
        options = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: config.json cannot be read: {error}") from error
    if not isinstance(options, dict):
        raise UserError(f"{folder}: config.json holds no options but {type(options).__name__}")
    return options


def load_network(folder: Path, schedule: NoiseSchedule | None = None) -> ADM:
    """The network of `model.pt` and `config.json`, options named as guided-diffusion names them."""
    options = read_options(folder)
    for speed_only in ("use_checkpoint", "use_fp16"):
        options.pop(speed_only, None)
    try:
        return ADM(checkpoint=str(folder / "model.pt"), schedule=schedule, **options)
    except TypeError as error:
        raise UserError(f"{folder}/config.json: {error}") from error


@dataclass(frozen=True)
class Trajectory:
    """A recorded trajectory, ready to be run again.

    Args:
        sampler: model, task, guidance and kernel that its metadata name.
        measurement: the recorded y, with the recorded mask where there is one.
        tensors: as recorded: `x_T` (B,*shape), `noise` and `x_t` (S,B,*shape), `timesteps` (S,).
    """

    sampler: Sampler
    measurement: Measurement
    tensors: Tensors


def read_trajectory(path: Path, network: Path) -> Trajectory:
    """Read a trajectory that the network in folder `network` made. Raises UserError for anything else."""
    tensors, meta = read_record(path)
    try:
        sampler = Sampler(
            score_model=load_network(network, _schedule(meta["schedule"])),
            task=_task(meta),
            guidance=_guidance(meta),
            kernel=_kernel(meta),
            steps=int(meta["steps"]),
            clip_denoised=meta["clip_denoised"] == "True",
        )
        visited = [step.t for step in sampler.levels]
        if visited != tensors["timesteps"].tolist():
            raise UserError(f"recorded timesteps {tensors['timesteps'].tolist()}, ours are {visited}")
        if tensors["x_T"].shape[1:] != sampler.score_model.shape:
            raise UserError(f"images {tuple(tensors['x_T'].shape[1:])} do not fit the network in {network}")
        states = (len(visited), *tensors["x_T"].shape)
        measurement = _measurement(_task(meta), tensors)
        measured = measurement.operator.forward(tensors["x_T"])
        for name, shape in (("noise", states), ("x_t", states), ("y", measured.shape)):
            if tensors[name].shape != shape:
                raise UserError(f"{name} is {tuple(tensors[name].shape)}, expected {tuple(shape)}")
        return Trajectory(sampler, measurement, tensors)
    except KeyError as error:
        raise UserError(f"{path}: no recorded trajectory, {error} is missing") from error
    except (ValueError, RuntimeError) as error:  # numbers that are none; a mask of another shape
        raise UserError(f"{path}: {error}") from error


def _schedule(text: str) -> NoiseSchedule:
    kind, _, length = text.partition("-")
    return NoiseSchedule(kind, int(length))  # type: ignore[arg-type]


def _guidance(meta: Metadata) -> Guidance:
    if meta["method"] == "dps":
        return DPS(step_size=float(meta["scale"]))
    if meta["method"] == "dsg":
        return DSG(guidance_rate=float(meta["scale"]), interval=int(meta["interval"]))
    raise UserError(f"method {meta['method']!r} cannot be replayed; choose dps or dsg")


def _kernel(meta: Metadata) -> ReverseKernel:
    if meta["sampler"] == "ddim":
        return DDIM(eta=float(meta["eta"]))
    if meta["sampler"] == "ddpm":
        return DDPM(variance=meta["var_type"])  # type: ignore[arg-type]
    raise UserError(f"sampler {meta['sampler']!r} cannot be replayed; choose ddim or ddpm")


def _task(meta: Metadata) -> InverseProblem:
    tasks = {
        "inpainting": RandomInpainting,
        "super_resolution": SuperResolution,
        "gaussian_blur": GaussianDeblurring,
    }
    if meta["task"] not in tasks:
        raise UserError(f"task {meta['task']!r} cannot be replayed; choose one of {', '.join(tasks)}")
    return tasks[meta["task"]]()


def _measurement(task: InverseProblem, recorded: Tensors) -> Measurement:
    if "mask" in recorded:
        return Measurement(recorded["y"], Mask(recorded["mask"]))
    shape = tuple(recorded["x0"].shape[1:])
    return Measurement(recorded["y"], task.operator(shape, NoiseStreams([])))
