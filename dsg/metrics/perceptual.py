"""LPIPS with its backbone loaded from a file: never downloaded, never unpickled, never random."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from dsg.errors import UserError, installed
from dsg.models.checkpoint import read_state_dict
from dsg.models.weights import sha256
from dsg.types import Image, PerSample

Net = Literal["vgg", "alex", "squeeze"]

# torchvision's ImageNet weights
BACKBONES: dict[str, str] = {
    "vgg": "vgg16-397923af.pth",
    "alex": "alexnet-owt-7be5be79.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}

SHA256: dict[str, str] = {
    "vgg": "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    "alex": "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    "squeeze": "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
}
"""Of those files; torchvision's names hold the first eight digits."""

LEAST_SIDE: dict[Net, int] = {"vgg": 16, "alex": 31, "squeeze": 17}
"""Pixels a side of the smallest image of which every layer still has a pixel."""


class LPIPS(nn.Module):
    """Learned perceptual distance (Zhang et al. 2018, version 0.1): two batches in [−1, 1] → (B,); 0 is identical.

    Images of one channel are repeated over the three that the network takes; H and W are at least its `LEAST_SIDE`.

    Args:
        network: `lpips.LPIPS` with every weight loaded.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def forward(self, sample: Image, reference: Image) -> PerSample:
        return self.network(_three_channels(sample), _three_channels(reference)).flatten()


def load_lpips(net: Net, folder: str | Path | None = None, check_hash: bool = True) -> LPIPS:
    """LPIPS over `net`.

    Args:
        net: the backbone.
        folder: where its file (see `BACKBONES`) lies; by default the checkpoints of the torch hub.
        check_hash: compare the file's SHA-256 with the published one.

    Raises:
        UserError: if the file is missing, is another one, or does not fit.
    """
    file = _file(net, folder)
    if reason := missing_backbone(net, folder):
        raise UserError(reason)
    if check_hash and sha256(file) != SHA256[net]:
        raise UserError(f"lpips_{net}: {file} is damaged: its SHA-256 is not the published one; fetch it again")
    with installed("lpips", "lpips"):
        import lpips  # imports torchvision: only where it is used

    with torch.device("meta"):  # to draw VGG's weights takes seconds, and all of them are loaded
        network = lpips.LPIPS(net=net, pnet_rand=True, pretrained=False, verbose=False)
    network.scaling_layer = lpips.ScalingLayer()
    linear = read_state_dict(Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth")
    network.load_state_dict({name: value.clone() for name, value in linear.items()}, strict=False, assign=True)
    features = _features(file)
    own = network.net.state_dict()
    try:
        # a slice keeps the position that its layer has in torchvision's `features`
        layers = {name: features[name.split(".", 1)[1]].clone() for name in own}
        network.net.load_state_dict(layers, assign=True)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"lpips_{net}: {file} does not hold the weights of torchvision's {net} ({reason})") from error
    return LPIPS(network)


def missing_backbone(net: Net, folder: str | Path | None = None) -> str | None:
    """What LPIPS over `net` wants, if its file is not in the folder; None if it is there."""
    file = _file(net, folder)
    if file.is_file():
        return None
    return f"lpips_{net}: wants {file.name} in {file.parent}; put torchvision's ImageNet weights there"


def _file(net: Net, folder: str | Path | None) -> Path:
    return Path(folder or Path(torch.hub.get_dir()) / "checkpoints") / BACKBONES[net]


def _three_channels(image: Image) -> Image:
    return image.expand(-1, 3, -1, -1)


def _features(file: Path) -> dict[str, Tensor]:
    weights = read_state_dict(file)
    return {name.removeprefix("features."): value for name, value in weights.items() if name.startswith("features.")}
