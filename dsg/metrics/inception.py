"""The Inception network of FID and KID, as clean-fid uses it."""

from __future__ import annotations

import platform
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dsg.errors import UserError
from dsg.metrics.features import FeatureNetwork

FILE = "inception-2015-12-05.pt"


class Inception(FeatureNetwork):
    """The 2048 features of Inception v3, of pictures that Pillow resized to 299x299 in float32, bicubic: clean-fid's
    variant `clean` (Parmar et al. 2022).

    The file is TorchScript. Loading runs no pickle, but it is a program that torch then runs: take it from a source
    that you trust. It is never downloaded.

    Args:
        file: `inception-2015-12-05.pt`, or its folder; by default the folder where clean-fid keeps it, /tmp.

    Raises:
        UserError: if the file is missing, or is not that network.
    """

    name, dimension = "clean", 2048
    frechet, kernel = "fid", "kid"

    def __init__(self, file: str | Path | None = None) -> None:
        super().__init__()
        path = Path(file).expanduser() if file else Path("." if platform.system() == "Windows" else "/tmp")
        path = path / FILE if path.is_dir() else path
        if path.name != FILE or not path.is_file():
            raise UserError(
                f"distribution.inception: wants {FILE} in {path.parent}, or the file that distribution.inception names"
            )
        from cleanfid.inception_torchscript import InceptionV3W

        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*torch.jit.load. is deprecated", FutureWarning)
                self.network = InceptionV3W(str(path.parent), download=False)
        except (RuntimeError, AttributeError) as error:
            raise UserError(
                f"distribution.inception: {path} is not that network, or damaged; fetch it again"
            ) from error
        self.eval().requires_grad_(False)

    @staticmethod
    def prepare(picture: np.ndarray) -> Tensor:
        return torch.from_numpy(_resizer()(picture)).permute(2, 0, 1)

    def forward(self, prepared: Tensor) -> Tensor:
        return self.network(prepared)


@cache
def _resizer():
    from cleanfid.resize import build_resizer

    return build_resizer("clean")
