"""Finding the files of a diffusers pipeline, and reading its scheduler's table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from dsg.diffusion.schedule import Kind, NoiseSchedule
from dsg.errors import UserError
from dsg.models.prediction_types import PredictionType

_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_SCHEDULER = "scheduler_config.json"
_CURVES: dict[str, Kind] = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}
_PREDICTIONS: dict[str, PredictionType] = {"epsilon": "epsilon", "v_prediction": "v", "sample": "sample"}


class PipelineFiles(NamedTuple):
    """The three files of which a score model is made."""

    network_config: Path
    weights: Path
    scheduler_config: Path


def find_pipeline(path: str) -> PipelineFiles:
    """The files under a folder, or of a repository on the hub.

    Raises:
        UserError: if the place or one of its files does not exist, or it is a pipeline of latents.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        root = _download(path)
    if (index := root / "model_index.json").is_file():
        latent = {"vae", "vqvae"} & set(read_json(index))
        if latent:
            raise UserError(
                f"{root}: a latent pipeline (it has a {latent.pop()}); DiffusersModel reads pixel-space ones"
            )
    folder = root / "unet" if (root / "unet").is_dir() else root
    config = _first([folder / "config.json"], "the network's configuration")
    weights = _first([folder / name for name in _WEIGHTS], "the network's weights")
    places = [place / sub for place in (root, folder.parent, root.parent) for sub in ("scheduler", "")]
    return PipelineFiles(config, weights, _first([place / _SCHEDULER for place in places], "the scheduler's table"))


def read_scheduler(file: Path) -> tuple[NoiseSchedule, PredictionType]:
    """The schedule and the kind of prediction that a DDPM or DDIM scheduler's configuration declares.

    Raises:
        UserError: if it is of another family, or predicts ε and ends at ā = 0 (zero terminal SNR), where ε says nothing
            of x_0.
    """
    config = read_json(file)
    predicts = config.get("prediction_type", "epsilon")
    if predicts not in _PREDICTIONS:
        raise UserError(f"{file}: prediction_type {predicts!r} is not supported, only {', '.join(_PREDICTIONS)}")
    zero_snr = bool(config.get("rescale_betas_zero_snr"))
    if zero_snr and predicts == "epsilon":
        raise UserError(
            f"{file}: rescale_betas_zero_snr with prediction_type epsilon: at ā = 0 ε says nothing of x_0; such "
            "networks predict v or sample: correct the file"
        )
    if config.get("trained_betas") is not None:
        return NoiseSchedule.from_betas(config["trained_betas"], zero_snr), _PREDICTIONS[predicts]
    curve = config.get("beta_schedule")
    if curve not in _CURVES:
        raise UserError(f"{file}: beta_schedule {curve!r} is not supported, only {', '.join(_CURVES)} or trained_betas")
    length = config.get("num_train_timesteps", 1000)
    start, end = config.get("beta_start", 1e-4), config.get("beta_end", 2e-2)
    return NoiseSchedule(_CURVES[curve], length, start, end, zero_snr), _PREDICTIONS[predicts]


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UserError: if the file holds none.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read as JSON ({error}); download it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected a JSON object; download it again")
    return content


def _download(name: str) -> Path:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise UserError(f"model folder {name}: no such folder; correct the path, or give a hub name like owner/name")
    from huggingface_hub import snapshot_download

    wanted = [f"{folder}{file}" for folder in ("", "unet/") for file in ("config.json", *_WEIGHTS)]
    try:
        return Path(snapshot_download(name, allow_patterns=["model_index.json", f"*{_SCHEDULER}", *wanted]))
    except Exception as error:  # the hub's client raises a different family with every version and proxy
        reason = str(error).strip().splitlines()[0][:150] if str(error).strip() else type(error).__name__
        raise UserError(
            f"model {name}: no such folder, and the hub did not give it ({reason}); "
            "check the name and the network, or download it elsewhere and give its folder"
        ) from error


def _first(candidates: list[Path], what: str) -> Path:
    for file in candidates:
        if file.is_file():
            return file
    looked = ", ".join(dict.fromkeys(str(file) for file in candidates))
    raise UserError(f"{what} is missing; looked for {looked}")
