"""Two score models of portraits whose last class had a hundredth of the pictures of the first: plain, and balanced."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from dsg.errors import UserError
from dsg.models.engines import Engine
from dsg.models.latent import Decoding, LatentModel

Trained = Literal["plain", "balanced"]


class PortraitsLongTail(LatentModel):
    """A small class-conditional network of the portraits' latents, state (4,16,16), images (3,64,64).

    Both were trained alike, on `dsg.data.portraits.long_tail` with labels dropped (Ho & Salimans 2022), but for the
    loss: `plain` by denoising, `balanced` by class-balancing diffusion (Qin et al. 2023, 2305.00562). The autoencoder
    is that of `PortraitsLatent`, which saw all classes as often as they come.

    Args:
        trained: which of the two, where no checkpoint is named; none comes with the library yet (docs/portraits.md).
        checkpoint: weights (.safetensors) of the same network, as `benchmarks.portraits.train_long_tail` writes them.
        decoding: the autoencoder's precision, and what saves memory.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.

    Raises:
        UserError: for another word, and if the weights are missing, or of another network.
    """

    def __init__(
        self,
        trained: Trained = "plain",
        checkpoint: str | None = None,
        decoding: Decoding | None = None,
        engine: Engine | None = None,
    ) -> None:
        from dsg.models.diffusers.autoencoder import AutoencoderFolder
        from dsg.models.network import NetworkModel
        from dsg.models.portraits.latent_model import FOLDER
        from dsg.models.portraits.long_tail_network import LATENT_SHAPE, build_network
        from dsg.models.portraits.network import NULL_CLASS, PREDICTION, SCHEDULE

        if trained not in get_args(Trained):
            raise UserError(f"trained: must be plain or balanced, got {trained!r}")
        file = weights(trained) if checkpoint is None else Path(checkpoint)
        if not file.is_file():
            raise UserError(
                f"checkpoint: no file at {file}; python -m benchmarks.portraits.train_long_tail --loss {trained} makes "
                "one"
            )
        score = NetworkModel(
            network=build_network(),
            shape=LATENT_SHAPE,
            predicts=PREDICTION,
            schedule=SCHEDULE,
            clean_range=None,
            num_classes=NULL_CLASS,
            null_class=NULL_CLASS,
            checkpoint=str(file),
            engine=engine,
        )
        super().__init__(score, AutoencoderFolder(str(FOLDER / "vae"), image_size=64, decoding=decoding))


def weights(trained: Trained) -> Path:
    """Where the shipped weights of one are."""
    return Path(__file__).with_name(f"long_tail_{trained}.safetensors")
