"""Networks in the folder layout of `diffusers`, from disk or from the Hugging Face hub."""

from __future__ import annotations

from typing import Any

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.models.coordinates import VarianceExploding
from dsg.models.diffusers.files import PipelineFiles, find_pipeline
from dsg.models.diffusers.network import classes_of, load_unet, shape_of
from dsg.models.diffusers.scheduler import Process, read_scheduler
from dsg.models.diffusers.unit_range import UnitRangeScore
from dsg.models.network import NetworkModel
from dsg.models.weights import WeightFiles
from dsg.types import State


class DiffusersModel(NetworkModel):
    """A pixel-space `UNet2DModel` with its scheduler's process, e.g. `google/ddpm-celebahq-256`.

    The process is a table of betas, as of DDPM and DDIM; flow matching; or the variance-exploding one of a network with
    Fourier features of its time.

    The folder is a pipeline (`unet/`, `scheduler/`), a checkpoint of a training (`unet_ema/` goes before `unet/`), or
    the network's own, with `scheduler_config.json` in it or up to two folders above. Schedule, kind of prediction, size
    and classes are read from there. Weights are `.safetensors`, else a `.bin` that holds no code, whole or in shards,
    of any precision; they are run in the Trainer's.

    Args:
        path: folder on disk, file of weights with `config.json` beside it, or name on the hub (owner/name), which is
            downloaded once into the hub's own cache; or a model's folder in such a cache.
        null_class: the label that means "no class" in a network trained with dropped labels; null if there is none.
        channels_last: use the channels-last memory format.
        variant: of the weights, as `fp16` of diffusion_pytorch_model.fp16.safetensors; null is the one without a name,
            or the only one.
        revision: of a hub name: the full commit, which is taken from the cache without asking if it is there, or a
            tag or branch; null is the newest.
        num_classes: how many labels there are, where the configuration cannot say it (class_embed_type `timestep`).

    Raises:
        UserError: if there is no such folder or repository, a file of it is missing, the weights do not fit to the last
            name, or it is told of more than classes, or its process is another one.
    """

    def __init__(
        self,
        path: str,
        null_class: int | None = None,
        channels_last: bool = False,
        variant: str | None = None,
        revision: str | None = None,
        num_classes: int | None = None,
    ) -> None:
        files = find_pipeline(path, variant, revision)
        config, file = files.network.config, files.network.config_file
        process = read_scheduler(files.scheduler_config)
        schedule, times = process.schedule, config.get("time_embedding_type", "positional")
        shape = shape_of(config, file)
        classes = classes_of(config, file, num_classes)
        if null_class is not None and (classes is None or not 0 <= null_class < classes):
            raise UserError(
                f"DiffusersModel: null_class {null_class} is not among the {classes or 0} classes of {path}"
            )
        _check_times(times, config, process, files)
        network, read = load_unet(files.network, shape, classes)
        if classes is not None and null_class == classes - 1:
            classes = null_class  # a null class at the end is no class that could be asked for
        super().__init__(
            network=UnitRangeScore(network) if times == "fourier" else network,
            shape=shape,
            predicts=process.predicts,
            schedule=schedule,
            coordinates=process.coordinates,
            num_classes=classes,
            null_class=null_class,
            learns_variance=config.get("out_channels", 3) == 2 * shape[0],
            channels_last=channels_last,
        )
        self.whole_timesteps = times == "learned"
        self.weight_files = WeightFiles(read | files.hashed())

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        if self.whole_timesteps and level.t != int(level.t):
            raise UserError(f"score model: knows whole timesteps alone and was asked at t = {level.t:g}")
        return super().forward(x_t, level, condition)


def _check_times(times: str, config: dict[str, Any], process: Process, files: PipelineFiles) -> None:
    """Refuse a network whose embedding of the time does not belong to the process."""
    exploding = isinstance(process.coordinates, VarianceExploding)
    if (times == "fourier") != exploding:
        raise UserError(
            f"{files.network.config_file}: time_embedding_type {times!r} does not belong to {files.scheduler_config}: "
            "fourier and ScoreSdeVeScheduler are of one another; correct the one that is wrong"
        )
    if times != "learned":
        return
    if not isinstance(process.schedule, NoiseSchedule):
        raise UserError(
            f"{files.network.config_file}: time_embedding_type 'learned' needs a scheduler with betas; correct it"
        )
    known = config.get("num_train_timesteps")
    if known is not None and known < len(process.schedule):
        raise UserError(
            f"{files.network.config_file}: num_train_timesteps {known} are fewer than the "
            f"{len(process.schedule)} of {files.scheduler_config}; correct the one that is wrong"
        )
