"""A network of your own as a score model."""

from __future__ import annotations

from torch import Tensor, nn

from dsg.diffusion.prediction import ModelOutput
from dsg.diffusion.schedule import NoiseLevel, NoiseSchedule
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.checkpoint import load_exactly
from dsg.models.labels import labels_for
from dsg.models.precision import call_network, to_memory_format
from dsg.models.prediction_types import Prediction, as_model_output
from dsg.types import State


class NetworkModel(ScoreModel):
    """Any `nn.Module`, called as `network(x, t)` or `network(x, t, labels)`.

    x is (B, *shape) in the dtype of the network's weights, t (B,) float32, labels (B,) int64; the answer is a tensor
    (or an object with a `sample`) of the state's shape, or with twice its channels where the variance is learned.

    Args:
        network: the module, by `class_path` in a config.
        shape: shape of one state, without the batch: [3, 64, 64] for images in [−1, 1], [2] for points of the plane.
        predicts: what the network was trained for: the noise `epsilon`, the velocity `v`, or the clean `sample`.
        schedule: what it was trained with; null is linear, 1e-4 to 2e-2 over 1000.
        num_classes: number of classes of a conditional network; null is unconditional, and called without labels.
        null_class: the label that means "no class" in a network trained with dropped labels; null if there is none.
        learns_variance: the network answers twice the state's channels; the second half is the range of its variance.
        checkpoint: state dict (.safetensors, or .pt without code) that has to fit to the last name; null leaves the
            network as it was constructed.
        channels_last: use the channels-last memory format; for states (C, H, W).

    Raises:
        UserError: if the checkpoint cannot be read or does not fit, or a condition does not suit the network.
    """

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, ...],
        predicts: Prediction = "epsilon",
        schedule: NoiseSchedule | None = None,
        num_classes: int | None = None,
        null_class: int | None = None,
        learns_variance: bool = False,
        checkpoint: str | None = None,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        if predicts not in ("epsilon", "v", "sample"):
            raise UserError(f"NetworkModel: predicts must be epsilon, v or sample, got {predicts!r}")
        if null_class is not None and num_classes is None:
            raise UserError("NetworkModel: null_class needs num_classes")
        if checkpoint is not None:
            load_exactly(network, checkpoint)
        self.network = to_memory_format(network, channels_last)
        self.shape = tuple(shape)
        self.predicts: Prediction = predicts
        self.schedule = schedule or NoiseSchedule("linear", 1000, 1e-4, 2e-2)
        self.num_classes = num_classes
        self.null_class = null_class
        self.learns_variance = learns_variance
        self.channels_last = channels_last
        self.freeze()

    def forward(self, x_t: State, level: NoiseLevel, condition: Tensor | None = None) -> ModelOutput:
        labels = labels_for(x_t, condition, self.num_classes, self.null_class)
        prediction = call_network(self.network, x_t, level.t, labels, self.channels_last)
        return as_model_output(prediction, x_t, level.alpha_bar, self.predicts, self.learns_variance)
