"""The Inception network of FID and KID, as clean-fid uses it."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dsg.errors import UserError, installed
from dsg.metrics.features import FeatureNetwork
from dsg.models.torchscript import TorchScript

FILE = "inception-2015-12-05.pt"
SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
"""Of the file that NVIDIA published with StyleGAN2-ADA and that clean-fid downloads."""


class Inception(FeatureNetwork):
    """The 2048 features of Inception v3, of pictures that Pillow resized to 299x299 in float32, bicubic: clean-fid's
    variant `clean` (Parmar et al. 2022).

    The file is TorchScript, a program, and lies by default where anyone on the machine may write: it is run only if its
    SHA-256 is the published one, or the one that is stated. It is never downloaded.

    Args:
        file: `inception-2015-12-05.pt`, or its folder; by default the folder where clean-fid keeps it, /tmp.
        sha256: of the file, if it is another one that you trust; None is the published one's.

    Raises:
        UserError: if the file is missing, has another SHA-256, or is not that network.
    """

    name, dimension = "clean", 2048
    frechet, kernel = "fid", "kid"

    def __init__(self, file: str | Path | None = None, sha256: str | None = None) -> None:
        super().__init__()
        path = Path(file).expanduser() if file else Path("." if platform.system() == "Windows" else "/tmp")
        path = path / FILE if path.is_dir() or not path.suffix else path  # a folder that is not there is one too
        if path.name != FILE or not path.is_file():
            raise UserError(
                f"distribution.inception: wants {FILE} in {path.parent}, or the file that distribution.inception names"
            )
        try:
            network = TorchScript(path, sha256 or SHA256)
        except UserError as error:
            raise UserError(f"distribution.inception: {error} (distribution.inception_sha256)") from error
        try:
            self.layers = network.module.layers
        except AttributeError as error:
            raise UserError(f"distribution.inception: {path} is not that network: it has no `layers`") from error
        if (sha256 or SHA256).lower() != SHA256:
            self.note = f"the Inception network is another file than the published one, of SHA-256 {sha256}"
        self.eval().requires_grad_(False)

    @staticmethod
    def prepare(picture: np.ndarray) -> Tensor:
        return torch.from_numpy(_resizer()(picture)).permute(2, 0, 1)

    def forward(self, prepared: Tensor) -> Tensor:
        normalised = (prepared - 128) / 128
        return self.layers(normalised).reshape(-1, self.dimension)


@cache
def _resizer():
    with installed("cleanfid", "fid_clean"):
        from cleanfid.resize import build_resizer

    return build_resizer("clean")
