"""The portraits' score model: small, class-conditional, and shipped with its weights."""

from __future__ import annotations

from dsg.models.engines import Engine
from dsg.models.network import NetworkModel


class Portraits(NetworkModel):
    """The network that was trained on the painted portraits, state (3, 64, 64) in [−1, 1], linear betas over 1000.

    Trained with dropped labels (Ho & Salimans 2022), so that without a condition it is unconditional.

    Args:
        checkpoint: weights (.safetensors) of the same network; null are those that come with the library.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.

    Raises:
        UserError: if the weights are missing, or of another network.
    """

    def __init__(self, checkpoint: str | None = None, engine: Engine | None = None) -> None:
        from dsg.models.portraits import network  # its schedule is made with it

        super().__init__(
            network=network.build_network(),
            shape=(3, 64, 64),
            predicts=network.PREDICTION,
            schedule=network.SCHEDULE,
            num_classes=network.NULL_CLASS,
            null_class=network.NULL_CLASS,
            checkpoint=str(network.WEIGHTS) if checkpoint is None else checkpoint,
            engine=engine,
        )
