"""The portraits' score model: small, class-conditional, and shipped with its weights."""

from __future__ import annotations

from torch import Tensor

from dsg.models.base import ModelOutput, ScoreModel
from dsg.models.checkpoint import load_exactly
from dsg.models.labels import labels_for
from dsg.models.precision import call_network, to_memory_format
from dsg.models.prediction_types import Prediction, as_model_output
from dsg.schedule import NoiseLevel, NoiseSchedule
from dsg.types import State


class Portraits(ScoreModel):
    """The network that was trained on the painted portraits, state (3, 64, 64) in [−1, 1], linear betas over 1000.

    Trained with dropped labels (Ho & Salimans 2022), so that without a condition it is unconditional.

    Args:
        checkpoint: weights (.safetensors) of the same network; null are those that come with the library.
        channels_last: use the channels-last memory format.

    Raises:
        UserError: if the weights are missing, or of another network.
    """

    def __init__(self, checkpoint: str | None = None, channels_last: bool = False) -> None:
        super().__init__()
        from dsg.models.portraits import network  # diffusers is imported with it

        loaded = network.build_network()
        load_exactly(loaded, checkpoint if checkpoint is not None else network.WEIGHTS)
        self.network = to_memory_format(loaded, channels_last)
        self.predicts: Prediction = network.PREDICTION
        self.null_class = self.num_classes = network.NULL_CLASS
        self.shape = (3, 64, 64)
        self.schedule = NoiseSchedule("linear", network.NUM_TIMESTEPS, 1e-4, 2e-2)
        self.channels_last = channels_last
        self.freeze()

    def forward(self, x_t: State, level: NoiseLevel, condition: Tensor | None = None) -> ModelOutput:
        labels = labels_for(x_t, condition, self.num_classes, self.null_class)
        prediction = call_network(self.network, x_t, level.t, labels, self.channels_last)
        return as_model_output(prediction, x_t, level.alpha_bar, self.predicts)
