"""The schedule and the kind of prediction that a scheduler of diffusers declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.models.diffusers.files import read_json
from dsg.models.prediction_types import PredictionType

_PREDICTIONS: dict[str, PredictionType] = {
    "epsilon": "epsilon",
    "v_prediction": "v",
    "sample": "sample",
    "original_sample": "sample",
}


def read_scheduler(file: Path) -> tuple[NoiseSchedule, PredictionType]:
    """The table of ā_t and what the network predicts, of any scheduler of diffusers that has `betas`.

    The class in the configuration computes its β_t, with its own defaults for what is not stated: linear,
    scaled_linear, squaredcos_cap_v2, sigmoid, trained_betas, .... ā_t and its rescaling to zero terminal SNR are
    computed here, in float64. Steps, their spacing and offset are the sampler's business and no part of it.

    Raises:
        UserError: if it is of another family, or predicts ε and ends at ā = 0 (zero terminal SNR), where ε says nothing
            of x_0; it names the key.
    """
    config = read_json(file)
    scheduler = _build(config, file)
    predicts = scheduler.config.get("prediction_type", "epsilon")
    if predicts not in _PREDICTIONS:
        raise UserError(f"{file}: prediction_type {predicts!r} is not supported, only {', '.join(_PREDICTIONS)}")
    if config.get("variance_type") == "learned":
        raise UserError(f"{file}: variance_type learned is not supported, only learned_range and those that are fixed")
    zero_snr = bool(config.get("rescale_betas_zero_snr"))
    try:
        schedule = NoiseSchedule.from_betas(scheduler.betas.double().numpy(), zero_snr)
    except UserError as error:
        raise UserError(f"{file}: its betas ({_keys(config)}) are no schedule: {error}") from error
    if predicts == "epsilon" and schedule.noisiest.signal == 0.0:
        key = "rescale_betas_zero_snr" if zero_snr else "betas that end at 1 (trained_betas, beta_end)"
        raise UserError(
            f"{file}: {key} with prediction_type epsilon: at ā = 0 ε says nothing of x_0; such networks predict "
            "v_prediction or sample: correct the file"
        )
    return schedule, _PREDICTIONS[predicts]


def _build(config: dict[str, Any], file: Path) -> Any:
    import diffusers

    name = str(config.get("_class_name"))
    kind = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    if kind is None:
        raise UserError(f"{file}: _class_name {name!r} is no scheduler of diffusers; correct the file")
    try:
        scheduler = kind.from_config({**config, "rescale_betas_zero_snr": False})
    except (ImportError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:150]
        raise UserError(f"{file}: diffusers cannot build a {name} ({_keys(config)}; {reason}); correct it") from error
    betas = getattr(scheduler, "betas", None)
    if betas is None:
        raise UserError(
            f"{file}: _class_name {name} is no variance-preserving diffusion in discrete time (it has no betas); wrap "
            "the network as dsg.models.network.NetworkModel with its own schedule"
        )
    if not ((betas > 0) & (betas <= 1)).all():
        raise UserError(f"{file}: betas must be in (0, 1], and these reach from {betas.min():g} to {betas.max():g}")
    return scheduler


def _keys(config: dict[str, Any]) -> str:
    """What the table hangs on, as far as it is stated."""
    names = ("beta_schedule", "beta_start", "beta_end", "num_train_timesteps", "trained_betas")
    return ", ".join(f"{name} {str(config[name])[:40]}" for name in names if config.get(name) is not None)
