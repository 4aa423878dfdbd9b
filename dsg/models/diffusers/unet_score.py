"""A `UNet2DModel` as a score model, with its scheduler's process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.models.coordinates import VarianceExploding
from dsg.models.diffusers.network import classes_of, load_unet, shape_of
from dsg.models.diffusers.scheduler import Process, read_scheduler
from dsg.models.diffusers.unit_range import UnitRangeScore
from dsg.models.engines import Engine
from dsg.models.network import NetworkModel
from dsg.models.pretrained.component import Component
from dsg.models.weights import WeightFiles
from dsg.types import State


class UNetScore(NetworkModel):
    """The network of a pipeline, of pictures or of latents.

    Args:
        component: the network's files.
        scheduler: the scheduler's configuration.
        null_class: the label that means "no class" in a network trained with dropped labels; null if there is none.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.
        num_classes: how many labels there are, where the configuration cannot say it.
        clean_range: of clean states; null for latents.

    Raises:
        UserError: if the weights do not fit to the last name, it is told of more than classes, or its process is one
            that is not read.
    """

    def __init__(
        self,
        component: Component,
        scheduler: Path,
        null_class: int | None = None,
        engine: Engine | None = None,
        num_classes: int | None = None,
        clean_range: Literal["pixels"] | None = "pixels",
    ) -> None:
        config, file = component.config, component.config_file
        process, times = read_scheduler(scheduler), config.get("time_embedding_type", "positional")
        shape = shape_of(config, file)
        classes = classes_of(config, file, num_classes)
        if null_class is not None and (classes is None or not 0 <= null_class < classes):
            raise UserError(f"null_class {null_class}: is not among the {classes or 0} classes of {component.folder}")
        _check_times(times, config, process, file, scheduler)
        if times == "fourier" and clean_range is None:
            raise UserError(
                f"{file}: time_embedding_type 'fourier' is of scores of pictures in [0, 1], and this network's states "
                "are latents; wrap it as dsg.models.network.NetworkModel"
            )
        network, files = load_unet(component, shape, classes)
        if classes is not None and null_class == classes - 1:
            classes = null_class  # a null class at the end is no class that could be asked for
        super().__init__(
            network=UnitRangeScore(network) if times == "fourier" else network,
            shape=shape,
            predicts=process.predicts,
            schedule=process.schedule,
            coordinates=process.coordinates,
            clean_range=clean_range,
            num_classes=classes,
            null_class=null_class,
            learns_variance=config.get("out_channels", 3) == 2 * shape[0],
            engine=engine,
        )
        self.whole_timesteps = times == "learned"
        self.weight_files = WeightFiles(files | scheduler_file(component, scheduler))

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        if self.whole_timesteps and level.t != int(level.t):
            raise UserError(f"score model: knows whole timesteps alone and was asked at t = {level.t:g}")
        return super().forward(x_t, level, condition)


def scheduler_file(component: Component, scheduler: Path) -> dict[str, Path]:
    """The scheduler's configuration by its name and, beside or in a pipeline, its folder's."""
    flat = not component.name and scheduler.parent == component.folder
    return {scheduler.name if flat else f"{scheduler.parent.name}/{scheduler.name}": scheduler}


def _check_times(times: str, config: dict[str, Any], process: Process, file: Path, scheduler: Path) -> None:
    """Refuse a network whose embedding of the time does not belong to the process."""
    exploding = isinstance(process.coordinates, VarianceExploding)
    if (times == "fourier") != exploding:
        raise UserError(
            f"{file}: time_embedding_type {times!r} does not belong to {scheduler}: fourier and ScoreSdeVeScheduler "
            "are of one another; correct the one that is wrong"
        )
    if times != "learned":
        return
    if not isinstance(process.schedule, NoiseSchedule):
        raise UserError(f"{file}: time_embedding_type 'learned' needs a scheduler with betas; correct it")
    known = config.get("num_train_timesteps")
    if known is not None and known < len(process.schedule):
        raise UserError(
            f"{file}: num_train_timesteps {known} are fewer than the {len(process.schedule)} of {scheduler}; correct "
            "the one that is wrong"
        )
