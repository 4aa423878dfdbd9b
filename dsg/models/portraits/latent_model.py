"""The portraits' latent world: an autoencoder, and a rectified flow of its latents that is told a caption."""

from __future__ import annotations

from pathlib import Path

from dsg.models.diffusers.stable_diffusion import StableDiffusion
from dsg.models.engines import Engine
from dsg.models.latent import Decoding

FOLDER = Path(__file__).with_name("latent")


class PortraitsLatent(StableDiffusion):
    """The pipeline folder that comes with the library: state (4,16,16), images (3,64,64), captions of up to 44 tokens.

    It speaks the words of `dsg.data.portraits.captions`, which `HeldOutPortraits(captions=True)` brings as the column
    `prompt`. An eighth of its training had empty captions (Ho & Salimans 2022), so that "" is unconditional.

    Args:
        prompt: the text of all images; "" is none. Null takes each image's from the data.
        negative_prompt: likewise the text from which prediction combiners lead away; "" is none.
        truncate: cut texts that are longer than the encoder takes; otherwise they are refused.
        decoding: the autoencoder's precision, and what saves memory.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.

    Raises:
        UserError: if a file of the library is missing, or transformers is not installed.
    """

    def __init__(
        self,
        prompt: str | None = None,
        negative_prompt: str | None = "",
        truncate: bool = False,
        decoding: Decoding | None = None,
        engine: Engine | None = None,
    ) -> None:
        super().__init__(
            str(FOLDER),
            prompt=prompt,
            negative_prompt=negative_prompt,
            truncate=truncate,
            decoding=decoding,
            engine=engine,
        )
