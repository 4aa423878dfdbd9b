"""Whether a feature network takes the pictures that it will be asked about: tried before the first sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dsg.command.exit_codes import flat
from dsg.errors import UserError
from dsg.metrics.features import FeatureNetwork, read_rgb


def check_features(
    network: FeatureNetwork, shape: tuple[int, ...], reference: str | None, first: Path | None, option: str
) -> None:
    """Raise UserError unless `network` takes pictures of the model and of the reference, and has something to compare.

    Args:
        network: asked once, on the CPU.
        shape: of the model's pictures, (C,H,W); they are read as RGB.
        reference: what the pictures are compared with.
        first: its first picture; None of a reference that is no folder.
        option: where the user wrote `features` and `reference`, as the errors name it.
    """
    _try(network, np.zeros((*shape[1:], 3), dtype=np.uint8), f"{option}.features")
    if first is not None:
        try:
            network.prepare(read_rgb(first))
        except UserError as error:
            raise UserError(f"{option}.reference: {error}, first of {reference}") from error
    elif reference is None and network.statistics() is None:
        raise UserError(
            f"{option}.reference: {network.name} brings none along; give a folder of pictures, a .npz, or "
            "clean-fid:NAME:SPLIT:RESOLUTION"
        )


def _try(network: FeatureNetwork, picture: np.ndarray, option: str) -> None:
    try:
        with torch.no_grad():
            found = network.cpu()(network.prepare(picture)[None])
    except UserError as error:
        raise UserError(f"{option}: {error}") from error
    except Exception as error:  # a network of somebody's own may raise any
        height, width = picture.shape[:2]
        raise UserError(
            f"{option}: {network.name} cannot take pictures of {width}x{height} ({flat(error)}); "
            "leave it out, or let it state its least_side"
        ) from error
    if found.shape != (1, network.dimension):
        raise UserError(
            f"{option}: {network.name} gives features of {tuple(found.shape)} for one picture, and says "
            f"{(1, network.dimension)}; correct its dimension"
        )
