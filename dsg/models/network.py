"""A network of your own as a score model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule, Schedule
from dsg.errors import UserError
from dsg.models.base import ScoreModel
from dsg.models.checkpoint import load_exactly
from dsg.models.clean_range import CleanRange, range_of
from dsg.models.coordinates import Coordinates, check_coordinates, coordinates_of
from dsg.models.engines import Engine, Plain
from dsg.models.labels import labels_for
from dsg.models.prediction_types import PredictionType, check_prediction_type, read_output
from dsg.models.weights import sha256_of_tensors
from dsg.types import State


class NetworkModel(ScoreModel):
    """Any `nn.Module`, called as `network(x, t)` or `network(x, t, labels)`.

    x is (B, *shape) in the dtype of the network's weights, t (B,) float32, labels (B,) int64; the answer is a tensor
    (or an object with a `sample`) of the state's shape, or with twice its channels where the variance is learned.

    Args:
        network: the module, by `class_path` in a config.
        shape: shape of one state, without the batch: [3, 64, 64] for images in [−1, 1], [2] for points of the plane.
        predicts: what the network was trained for: the noise `epsilon`, the velocity `v` of the variance-preserving
            path, the clean state `denoised`, the `velocity` of the straight path, or the `score` ∇ log p of its own
            state.
        schedule: what it was trained with; null is linear, 1e-4 to 2e-2 over 1000.
        coordinates: in which it sees the state; null is those of the schedule: x_t and the time of a table or a
            VPSchedule, x_0 + σ ε and σ of a SigmaSchedule (EDM: `predicts: denoised`), the straight path of a
            FlowSchedule. docs/models.md says which published networks have which.
        clean_range: smallest and largest value of clean states, to which x̂ may be clamped; `pixels` is −1 and 1 for
            states (1,H,W) and (3,H,W) and none for others, null is none, as latents need.
        num_classes: number of classes of a conditional network; null is unconditional, and called without labels.
        null_class: the label that means "no class" in a network trained with dropped labels; null if there is none.
        learns_variance: the network answers twice the state's channels; the second half is the range of its variance.
        checkpoint: state dict (.safetensors, or .pt without code) that has to fit to the last name, alone or among what
            a training kept with it; of weights and their average, the average. Null leaves the network as it was
            constructed.
        engine: how the network is run, of dsg.models.engines; null is Plain: as it is, in the Trainer's precision.

    Raises:
        UserError: if the checkpoint cannot be read or does not fit, or a condition does not suit the network.
    """

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, ...],
        predicts: PredictionType = "epsilon",
        schedule: Schedule | None = None,
        coordinates: Coordinates | None = None,
        clean_range: CleanRange = "pixels",
        num_classes: int | None = None,
        null_class: int | None = None,
        learns_variance: bool = False,
        checkpoint: str | None = None,
        engine: Engine | None = None,
    ) -> None:
        super().__init__()
        self.schedule = schedule or NoiseSchedule("linear", 1000, 1e-4, 2e-2)
        self.coordinates = coordinates or coordinates_of(self.schedule)
        check_prediction_type(predicts, self.schedule, self.coordinates)
        check_coordinates(self.coordinates, self.schedule)
        self.clean_range = range_of(clean_range, tuple(shape), "NetworkModel")
        if null_class is not None and num_classes is None:
            raise UserError("NetworkModel: null_class needs num_classes")
        if checkpoint is not None:
            self.weight_files = load_exactly(network, checkpoint, self.schedule)
        self.engine = engine or Plain()
        self.network = self.engine.prepare(network)
        self.shape = tuple(shape)
        self.predicts: PredictionType = predicts
        self.num_classes = num_classes
        self.null_class = null_class
        self.learns_variance = learns_variance
        self.freeze()

    @property
    def weights(self) -> dict[str, str]:
        """Of the files; of a network that came from none, of the tensors that it has now."""
        return super().weights or {"network": f"sha256:{sha256_of_tensors(self.network)}"}

    def notes(self, columns: frozenset[str], leads_away: bool) -> Sequence[str]:
        return (*super().notes(columns, leads_away), *self.engine.notes(self.network))

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        labels = labels_for(x_t, condition, self.num_classes, self.null_class)
        scale, time = self.coordinates.scale(level), self.coordinates.time(level)
        output = self.engine.call(self.network, scale * x_t, time, labels)
        return read_output(output, x_t, level, self.predicts, self.learns_variance, self.coordinates)
