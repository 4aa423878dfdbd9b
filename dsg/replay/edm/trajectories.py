"""A recorded trajectory of EDM's or EDM2's sampler, taken again from each recorded state by our own loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dsg.combiners import Autoguidance, Conditional, PredictionCombiner
from dsg.data.examples import Examples
from dsg.diffusion import Karras, SigmaSchedule
from dsg.diffusion.condition import ClassLabels, Condition
from dsg.diffusion.kernels import Churn, Heun, ReverseKernel
from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.errors import UserError
from dsg.guidance import Unguided
from dsg.models.base import ScoreModel
from dsg.models.edm import EDM
from dsg.models.edm.denoiser import schedule_of
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.replay.edm.deviation import Deviation, largest
from dsg.replay.record import Metadata, Tensors, read_record
from dsg.replay.steps.recorded import RecordedDraws
from dsg.sampling import Sampler
from tasks import Generation

MIXTURE = "mixture"


@dataclass(frozen=True)
class Trajectory:
    """A record, and what runs it.

    Args:
        sampler: model, kernel, levels and combiner that its metadata name; nothing guides but the combiner.
        condition: the recorded labels, or None.
        tensors: as recorded: `x` (N+1,B,*shape), the states in units of x_0 + σ ε; `sigmas` (N+1,), `sigma_hat` (N,).
        tolerance: of a state, in units of max(1, its standard deviation).
    """

    sampler: Sampler
    condition: Condition | None
    tensors: Tensors
    tolerance: float


def read_trajectory(path: Path) -> Trajectory:
    """Read a record; its networks are in folders beside its own folder, or beside it.

    Raises:
        UserError: if it is no such record, or a network is not there.
    """
    tensors, meta = read_record(path)
    try:
        model = _model(path, meta, tensors, meta["network"], MIXTURE)
        sampler = Sampler(
            model, Generation(), Unguided(), _kernel(meta), int(meta["num_steps"]), _spacing(meta, model),
            clip_denoised=False, combiner=_combiner(path, meta, tensors),
        )  # fmt: skip
        shape = (sampler.steps + 1, len(tensors["latents"]), *model.shape)
        if tensors["x"].shape != shape or tensors["sigmas"].shape != shape[:1]:
            raise UserError(f"{path}: x is {tuple(tensors['x'].shape)}, expected {shape}")
        condition = ClassLabels(tensors["labels"].argmax(dim=1)) if "labels" in tensors else None
        return Trajectory(sampler, condition, tensors, float(meta["tolerance"]))
    except KeyError as error:
        raise UserError(f"{path}: no recorded trajectory of EDM, {error} is missing") from error
    except ValueError as error:  # numbers that are none
        raise error if isinstance(error, UserError) else UserError(f"{path}: {error}") from error


def trajectory_steps(path: Path) -> Iterator[Deviation]:
    """The grid, every step from its recorded state, and where a free run from the first state ends."""
    trajectory = read_trajectory(path)
    sampler, recorded, tolerance = trajectory.sampler, trajectory.tensors, trajectory.tolerance
    levels, states = sampler.levels, recorded["x"]
    ours = torch.tensor([level.sigma for level in levels], dtype=torch.float64)
    yield Deviation(
        "grid, relative", largest(ours / recorded["sigmas"][:-1].double(), torch.ones_like(ours)), tolerance
    )
    process = _process(trajectory)
    for i, step in enumerate(levels):
        with torch.no_grad():
            taken = sampler.guidance.step(*process.enter(step.signal * states[i], step), process)
        ahead, following = taken.x_prev / step.prev.signal, states[i + 1]
        yield Deviation(
            f"step {i}, σ {step.sigma:.4g} to {step.prev.sigma:.4g}",
            largest(ahead, following, _unit(following)),
            tolerance,
        )
    *_, last = sampler.run(_process(trajectory), levels[0].signal * states[0])
    yield Deviation("free run", largest(last.x_prev, states[-1], _unit(states[-1])), tolerance)


def _process(trajectory: Trajectory) -> ReverseProcess:
    sampler = trajectory.sampler
    task, streams = sampler.task, _draws(trajectory)
    measurement = task.measure(Examples(None), streams)
    return ReverseProcess(
        sampler.score_model, task, measurement, sampler.kernel, streams, sampler.levels, trajectory.condition,
        clip_denoised=False, combiner=sampler.combiner,
    )  # fmt: skip


def _draws(trajectory: Trajectory) -> NoiseStreams:
    """The recorded noise of the steps that churn. Where the record has a row for every step, others are unused."""
    recorded, levels = trajectory.tensors, trajectory.sampler.levels
    noise = list(recorded["noise"].to(recorded["x"].dtype)) if "noise" in recorded else []
    churned = (recorded["sigma_hat"] > recorded["sigmas"][:-1]).tolist()
    if len(noise) == len(levels):
        noise = [row for row, is_churned in zip(noise, churned, strict=True) if is_churned]
    nothing = [torch.zeros_like(recorded["x"][0])] * len(levels)  # Heun multiplies it by 0
    return RecordedDraws({Purpose.CHURN: noise, Purpose.REVERSE: nothing}, len(recorded["latents"]), last=False)


def _model(path: Path, meta: Metadata, tensors: Tensors, name: str, prefix: str) -> ScoreModel:
    """A network by its folder, or the mixture `prefix` of the record; its schedule goes as far as the kernel raises."""
    low, high = float(meta["sigma_min"]), 2.0 * float(meta["sigma_max"])
    if name == MIXTURE:
        weight, mean, std = (tensors[f"{prefix}.{part}"] for part in ("weight", "mean", "std"))
        return GaussianMixture(weight, mean, std**2, schedule=SigmaSchedule(low, high))
    places = [folder / name for folder in (path.parent.parent, path.parent)]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise UserError(f"{path}: its network {name} is neither {places[0]} nor {places[1]}")
    model = EDM(str(folder))
    model.schedule = schedule_of(model.network, max(low, model.schedule.cleanest.t), min(high, model.network.sigma_max))
    return model


def _spacing(meta: Metadata, model: ScoreModel) -> Karras:
    """The grid, clipped to what the network knows."""
    low = max(float(meta["sigma_min"]), model.schedule.cleanest.t)
    high = min(float(meta["sigma_max"]), model.schedule.noisiest.t)
    return Karras(float(meta["rho"]), low, high)


def _kernel(meta: Metadata) -> ReverseKernel:
    churn = float(meta["S_churn"])
    if churn == 0.0:
        return Heun()
    return Churn(Heun(), churn, float(meta["S_min"]), float(meta["S_max"]), float(meta["S_noise"]))


def _combiner(path: Path, meta: Metadata, tensors: Tensors) -> PredictionCombiner:
    scale = float(meta.get("guidance", 1.0))
    if scale == 1.0:
        return Conditional()
    return Autoguidance(scale, guide=_model(path, meta, tensors, meta["guide"], "guide_mixture"))


def _unit(state: Tensor) -> float:
    return max(1.0, state.std().item())
