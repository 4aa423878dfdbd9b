"""The schedule and the kind of prediction that a scheduler of diffusers declares."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

import torch

from dsg.diffusion.continuous import FlowSchedule, SigmaSchedule
from dsg.diffusion.schedule import NoiseSchedule, Schedule
from dsg.errors import UserError, first_line, installed
from dsg.models.coordinates import Coordinates, RectifiedFlow, VarianceExploding, VariancePreserving
from dsg.models.prediction_types import PredictionType
from dsg.models.pretrained.read_json import read_json

_PREDICTIONS: dict[str, PredictionType] = {
    "epsilon": "epsilon",
    "v_prediction": "v",
    "sample": "denoised",
    "original_sample": "denoised",
}
_FLOWS = ("FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler")

LEVELS_APART = 1e-3  # rounding of float32 is a hundredth of it

log = logging.getLogger(__name__)


class Process(NamedTuple):
    """What a scheduler says of the process that its network was trained on."""

    schedule: Schedule
    predicts: PredictionType
    coordinates: Coordinates


def read_scheduler(file: Path) -> Process:
    """The process of a scheduler's configuration.

    - with `betas`: a table of ā_t, and `prediction_type`.
    - flow matching: x = (1−t) x_0 + t ε, whose velocity ε − x_0 the network says at num_train_timesteps · t. A shift of
      the times is the sampler's (`ShiftedFlow`).
    - ScoreSdeVeScheduler: x = x_0 + σ ε, whose σ are twice the stated ones, which are of pictures in [0, 1].

    Raises:
        UserError: if it is of another family, or predicts ε and ends at ā = 0 (zero terminal SNR), where ε says nothing
            of x_0; it names the key.
    """
    config = read_json(file)
    scheduler = _build(config, file)
    if not hasattr(scheduler, "config"):  # one that diffusers has no more
        raise UserError(
            f"{file}: _class_name {config.get('_class_name')!r} is no scheduler of diffusers; correct the file"
        )
    name, stated = type(scheduler).__name__, scheduler.config
    if name in _FLOWS:
        if stated.get("invert_sigmas"):
            raise UserError(
                f"{file}: invert_sigmas is of a flow whose time runs from the noise; wrap it as a NetworkModel"
            )
        return Process(FlowSchedule(), "velocity", RectifiedFlow(float(stated["num_train_timesteps"])))
    if name == "ScoreSdeVeScheduler":
        sigmas = SigmaSchedule(2.0 * stated["sigma_min"], 2.0 * stated["sigma_max"])
        return Process(sigmas, "epsilon", VarianceExploding())
    return Process(*_table(scheduler, config, file), VariancePreserving())


def warn_of_clipping(file: Path) -> None:
    """Say that a scheduler of latents would clamp x̂, which no state of latents is here."""
    scheduler = _build(read_json(file), file)
    clipping = [key for key in ("clip_sample", "thresholding") if scheduler.config.get(key)]
    if clipping:
        log.warning("%s: says %s, and latents are clamped nowhere", file, " and ".join(clipping))


def _table(scheduler: Any, config: dict[str, Any], file: Path) -> tuple[NoiseSchedule, PredictionType]:
    """The table of ā_t and what the network predicts.

    The class in the configuration computes its β_t, with its own defaults for what is not stated: linear,
    scaled_linear, squaredcos_cap_v2, sigmoid, trained_betas, .... ā_t and its rescaling to zero terminal SNR are
    computed here, in float64. Steps, their spacing and offset are the sampler's business and no part of it.
    """
    betas = getattr(scheduler, "betas", None)
    if betas is None:
        raise UserError(
            f"{file}: _class_name {type(scheduler).__name__} is of no process that is read here (it has no betas); "
            "wrap the network as dsg.models.network.NetworkModel with its own schedule"
        )
    if not ((betas > 0) & (betas <= 1)).all():
        raise UserError(f"{file}: betas must be in (0, 1], and these reach from {betas.min():g} to {betas.max():g}")
    stated = torch.as_tensor(getattr(scheduler, "alphas_cumprod", (1 - betas).cumprod(0))).double()
    if (stated - (1 - betas.double()).cumprod(0)).abs().max() > LEVELS_APART:
        raise UserError(
            f"{file}: a {type(scheduler).__name__} shifts its levels after its betas (snr_shift_scale), which is not "
            "read here; wrap the network as dsg.models.network.NetworkModel with its own schedule"
        )
    predicts = scheduler.config.get("prediction_type", "epsilon")
    if not isinstance(predicts, str) or predicts not in _PREDICTIONS:
        raise UserError(f"{file}: prediction_type {predicts!r} is not supported, only {', '.join(_PREDICTIONS)}")
    if config.get("variance_type") == "learned":
        raise UserError(f"{file}: variance_type learned is not supported, only learned_range and those that are fixed")
    zero_snr = bool(config.get("rescale_betas_zero_snr"))
    try:
        schedule = NoiseSchedule.from_betas(betas.double().numpy(), zero_snr)
    except UserError as error:
        raise UserError(f"{file}: its betas ({_keys(config)}) are no schedule: {error}; correct the file") from error
    if predicts == "epsilon" and schedule.noisiest.signal == 0.0:
        key = "rescale_betas_zero_snr" if zero_snr else "betas that end at 1 (trained_betas, beta_end)"
        raise UserError(
            f"{file}: {key} with prediction_type epsilon: at ā = 0 ε says nothing of x_0; such networks predict "
            "v_prediction or sample: correct the file"
        )
    return schedule, _PREDICTIONS[predicts]


def _build(config: dict[str, Any], file: Path) -> Any:
    with installed("diffusers", "a scheduler of diffusers"):
        import diffusers

    name = str(config.get("_class_name"))
    kind = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    if kind is None:
        raise UserError(f"{file}: _class_name {name!r} is no scheduler of diffusers; correct the file")
    try:
        return kind.from_config({key: config[key] for key in config if key != "rescale_betas_zero_snr"})
    except Exception as error:  # a file is foreign input, and the library raises what Python raises
        reason = first_line(error)
        raise UserError(f"{file}: diffusers cannot build a {name} ({_keys(config)}; {reason}); correct it") from error


def _keys(config: dict[str, Any]) -> str:
    """What the table hangs on, as far as it is stated."""
    names = ("beta_schedule", "beta_start", "beta_end", "num_train_timesteps", "trained_betas")
    return ", ".join(f"{name} {str(config[name])[:40]}" for name in names if config.get(name) is not None)
