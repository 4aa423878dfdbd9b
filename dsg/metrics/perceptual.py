"""LPIPS with its backbone loaded from a file: never downloaded, never unpickled, never random."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from dsg.errors import UserError
from dsg.models.checkpoint import read_state_dict
from dsg.models.weights import sha256
from dsg.types import Image, PerSample

Net = Literal["vgg", "alex", "squeeze"]

# torchvision's ImageNet weights; the name holds the first digits of the file's SHA-256
BACKBONES: dict[str, str] = {
    "vgg": "vgg16-397923af.pth",
    "alex": "alexnet-owt-7be5be79.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}


class LPIPS(nn.Module):
    """Learned perceptual distance (Zhang et al. 2018, version 0.1): two batches in [−1, 1] → (B,); 0 is identical.

    Args:
        network: `lpips.LPIPS` with every weight loaded.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def forward(self, sample: Image, reference: Image) -> PerSample:
        return self.network(sample, reference).flatten()


def load_lpips(net: Net, folder: str | Path | None = None, check_hash: bool = True) -> LPIPS:
    """LPIPS over `net`.

    Args:
        net: the backbone.
        folder: where its file (see `BACKBONES`) lies; by default the checkpoints of the torch hub.
        check_hash: compare the file's SHA-256 with the digits in its name.

    Raises:
        UserError: if the file is missing, is another one, or does not fit.
    """
    file = Path(folder or Path(torch.hub.get_dir()) / "checkpoints") / BACKBONES[net]
    if not file.is_file():
        raise UserError(f"lpips_{net}: wants {file.name} in {file.parent}; put torchvision's ImageNet weights there")
    if check_hash and not sha256(file).startswith(file.stem.rsplit("-", 1)[1]):
        raise UserError(f"lpips_{net}: {file} is damaged: its SHA-256 is not the one in its name; fetch it again")
    from lpips import LPIPS as Network  # imports torchvision: only where it is used

    network = Network(net=net, pnet_rand=True, verbose=False)  # the linear layers ship with the package
    features = _features(file)
    own = network.net.state_dict()
    try:
        # a slice keeps the position that its layer has in torchvision's `features`
        network.net.load_state_dict({name: features[name.split(".", 1)[1]] for name in own})
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"lpips_{net}: {file} does not hold the weights of torchvision's {net} ({reason})") from error
    return LPIPS(network)


def _features(file: Path) -> dict[str, Tensor]:
    weights = read_state_dict(file)
    return {name.removeprefix("features."): value for name, value in weights.items() if name.startswith("features.")}
