"""EDM and EDM2: pretrained denoisers as score models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsg.models.clean_range import CleanRange
from dsg.models.edm.build import build, load
from dsg.models.edm.denoiser import Denoiser
from dsg.models.edm.stored import read_network
from dsg.models.weights import WeightFiles


class EDM(Denoiser):
    """A checkpoint of EDM (Karras et al. 2022, 2206.00364) or EDM2 (Karras et al. 2024, 2312.02696):

        x̂ = D(x_t √(1+σ²); σ)

    Read from a published `.pkl`, of which nothing is run, or from a folder with `config.json` and `weights.safetensors`
    (`python -m dsg.models.edm.convert` makes one of a `.pkl`). Networks with VP, VE and iDDPM preconditioning are read
    too; the last knows the σ of a table, and levels are rounded to them.

    Networks of 4 channels (EDM2 at 512 pixels) are of latents: `LatentEDM` takes the autoencoder too. `encoder` is what
    the file says of it, by name; empty where it says nothing.

    Args:
        path: the `.pkl`, the folder, or the `.safetensors` file with `config.json` beside it.
        sigma_min: least noise that is sampled at; null is 0.002, or the network's own least if that is more.
        sigma_max: most noise that is sampled at; null is 80, or the network's own most if that is less.
        label_dropout: a network with classes was trained with dropped labels too, so that without a label it is
            unconditional; as published, none was.
        clean_range: smallest and largest value of clean states, to which x̂ may be clamped; `pixels` is −1 and 1 for
            states of 1 or 3 channels and none for others.
        channels_last: use the channels-last memory format.

    Raises:
        UserError: if there is no such file, it is damaged, would run code, or is of another network, or a σ is outside
            the network's.
    """

    encoder: Mapping[str, Any]

    def __init__(
        self,
        path: str,
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        label_dropout: bool = False,
        clean_range: CleanRange = "pixels",
        channels_last: bool = False,
    ) -> None:
        stored = read_network(path)
        network = build(stored.class_name, stored.arguments, stored.options, f"checkpoint {path}")
        load(network, stored.tensors, str(path))
        super().__init__(network, sigma_min, sigma_max, label_dropout, clean_range, channels_last)
        self.weight_files, self.encoder = WeightFiles(stored.files), stored.encoder
