"""What a task is: something measured on a clean image, and the loss of an estimate against that measurement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dsg.data.examples import IMAGE, MEASUREMENT, Examples, Value, measured_unseen
from dsg.data.expected import Expected
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.types import Image, PerSample, per_sample_norm
from tasks.expected import expected
from tasks.noise import GaussianNoise, MeasurementNoise
from tasks.operators import Operator


@dataclass(frozen=True)
class Measurement:
    """What is known of a batch of images.

    Args:
        y: the noisy measurement, (B, ...).
        operator: A with this batch's own parameters (masks, kernels) bound, so that y = noise(A x).
    """

    y: Tensor
    operator: Operator


class Task(ABC):
    """`measure` makes the measurement of an evaluation, `loss` tells how far a clean estimate is from it.

    A task knows nothing of schedules, models and guidance. `needs` names what `measure` reads of an example, and
    `compared_with` what a good sample looks like, if anything: `image`, the clean state, or a column of the data.
    Where the data has a column `measurement`, somebody has measured already: `given` takes that instead.
    """

    needs: frozenset[str] = frozenset({IMAGE})
    compared_with: str | None = IMAGE

    @abstractmethod
    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        """Measure `examples`, whose images are (B,C,H,W) in [−1, 1], drawing from each one's own streams."""

    @property
    def takes_given(self) -> bool:
        """Whether it takes a measurement that somebody else made."""
        return type(self).given is not Task.given

    def given(self, examples: Examples, streams: NoiseStreams, shape: tuple[int, ...]) -> Measurement:
        """What somebody else measured, the column `measurement` of `examples`, for samples of `shape`.

        Raises:
            UserError: if the task takes none, or not this one.
        """
        raise UserError(self._takes_none())

    def measurement_of(self, examples: Examples, streams: NoiseStreams, shape: tuple[int, ...]) -> Measurement:
        """What guides samples of `shape`: the measurement that was given where there is one, or else made here."""
        return self.given(examples, streams, shape) if MEASUREMENT in examples else self.measure(examples, streams)

    @abstractmethod
    def loss(self, clean_estimate: Image, measurement: Measurement) -> PerSample:
        """One number per sample, (B,), differentiable in `clean_estimate`."""

    def residual(self, clean_estimate: Image, measurement: Measurement) -> PerSample | None:
        """How far the estimate is from the measurement in units of the noise, (B,), whose right value is 1; None where
        there is no such unit.
        """
        return None

    def scores(self, samples: Image, measurement: Measurement) -> dict[str, PerSample]:
        """What tells how well finished samples do what was asked, in units that mean something, by name: (B,) each.

        Names end in `_similarity`, `_accuracy`, `_score` or `_iou` where more is better, in `_distance` or `_error`
        where less is; they are columns of the samples' rows. A judge asks them of a task of the same class with another
        network.

        Args:
            samples: (B,C,H,W) in [−1, 1], as their files hold them.
            measurement: what was asked of them.
        """
        return {}

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise UserError if images of `shape` (C,H,W) cannot be measured. Called before the first sample."""

    def check_examples(self, known: Callable[[str], Mapping[str, Value]]) -> None:
        """Raise UserError if something that is known of the examples cannot be asked. Called before the first sample.

        Args:
            known: of a column, the values by image id; empty where they are not known before examples are loaded.
        """

    def check_columns(self, columns: frozenset[str]) -> None:
        """Raise UserError unless the data's `columns` are what the task takes. Called before the first sample."""
        if MEASUREMENT in columns and not self.takes_given:
            raise UserError(self._takes_none())
        compared = self.compares(columns)
        needed = self.needed(columns) | (frozenset() if compared is None else frozenset({compared}))
        if missing := sorted(needed - columns):
            place = f"give it in data.{missing[0]}s" if MEASUREMENT in columns else "add it to the folder's metadata"
            raise UserError(
                f"data: {type(self).__name__} needs {', '.join(missing)} of every example, and the data has "
                f"{', '.join(sorted(columns)) or 'no columns'}; {place}, or take other data"
            )

    def _takes_none(self) -> str:
        return (
            f"data: {type(self).__name__} takes no measurement that somebody else made; take a task with an operator, "
            "such as tasks.Denoising, or other data"
        )

    def needed(self, columns: Set[str]) -> frozenset[str]:
        """What the task reads of examples that have these `columns`."""
        return self.needs

    def compares(self, columns: Set[str]) -> str | None:
        """Which of the data's `columns` samples are compared with; None where that is nothing."""
        return self.compared_with

    def truth(self, examples: Examples, shape: tuple[int, ...]) -> Tensor | None:
        """What samples of `shape` are compared with, (B, *shape); None where that is nothing.

        Raises:
            UserError: if it is of another shape.
        """
        name = self.compares(examples.names)
        if name is None:
            return None
        truth = examples.tensor(name)
        if tuple(truth.shape[1:]) != tuple(shape):
            raise UserError(
                f"data: samples of shape {tuple(shape)} are compared with {name}, whose shape is "
                f"{tuple(truth.shape[1:])}; take data that fits"
            )
        return truth

    def networks(self) -> tuple[nn.Module, ...]:
        """Frozen modules that the loss asks; they move to the score model's device with it."""
        return ()

    def picture(self, measurement: Measurement) -> Image:
        """How the measurement looks, (B,3,h,w) of any size, or (B,1,h,w) in grey: y where that is an image."""
        return measurement.y


class InverseProblem(Task):
    """y = A x + noise, with the residual norm as loss:

        L(x̂, y) = ‖y − A x̂‖₂

    It is the unsquared norm, as in the DPS code; a method that needs the squared one squares it.

    Args:
        noise: what is added to A x.
    """

    def __init__(self, noise: MeasurementNoise | None = None) -> None:
        self.noise = noise if noise is not None else GaussianNoise()
        self._expected: dict[tuple[int, ...], Expected] = {}

    @abstractmethod
    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Operator:
        """Draw A for images of `shape` (C,H,W): one set of parameters an image."""

    def operator_of(self, examples: Examples, streams: NoiseStreams, shape: tuple[int, ...]) -> Operator:
        """A for these examples: the one that is drawn, unless a subclass finds it in a column of the data."""
        return self.operator(shape, streams)

    @property
    def noise_sigma(self) -> float:
        """σ_y ≥ 0 of Gaussian measurement noise, on images in [−1, 1].

        Raises:
            UserError: if the noise is not Gaussian.
        """
        if not isinstance(self.noise, GaussianNoise):
            raise UserError(
                f"{type(self).__name__} has {type(self.noise).__name__} and no single noise_sigma; "
                "use a task with GaussianNoise"
            )
        return self.noise.noise_sigma

    def example_operator(self) -> Operator:
        """A as drawn for the smallest square image, of 32 pixels or more, that the task takes: what A can do.

        Raises:
            UserError: if the task takes none of up to 4096 pixels.
        """
        side = 32
        while True:
            shape = (3, side, side)
            try:
                self.check(shape)
                return self.operator(shape, NoiseStreams([SampleKey(0, "example")]))
            except UserError:
                side *= 2
                if side > 4096:
                    raise

    def needed(self, columns: Set[str]) -> frozenset[str]:
        """Without the image, where it has been measured already."""
        return self.needs - {IMAGE} if MEASUREMENT in columns else self.needs

    def compares(self, columns: Set[str]) -> str | None:
        """Nothing where the image was measured already, and nobody has it."""
        return None if self.compared_with == IMAGE and measured_unseen(columns) else self.compared_with

    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        reference = examples.tensor(IMAGE)
        operator = self.operator_of(examples, streams, tuple(reference.shape[1:]))
        return Measurement(self.noise(operator.forward(reference), streams), operator)

    def expected(self, shape: tuple[int, ...]) -> Expected:
        """What a measurement of images of `shape` (C,H,W) looks like.

        Raises:
            UserError: if A is drawn for every image, so that it is not that of measurements that somebody else made.
        """
        if shape not in self._expected:
            found = expected(lambda streams: self.operator(shape, streams), shape, type(self).__name__)
            sigma = self.noise_sigma if isinstance(self.noise, GaussianNoise) else None
            self._expected[shape] = replace(found, noise_sigma=sigma)
        return self._expected[shape]

    def given(self, examples: Examples, streams: NoiseStreams, shape: tuple[int, ...]) -> Measurement:
        y, expected = examples.tensor(MEASUREMENT), self.expected(shape)
        if tuple(y.shape[1:]) != expected.shape:
            raise UserError(
                f"data: {type(self).__name__} of images {tuple(shape)} measures {expected.shape}, and the given "
                f"measurements are {tuple(y.shape[1:])}; take a task, a model or measurements that fit"
            )
        operator = self.operator_of(examples, streams, shape)
        return Measurement(self.looked_at(y, operator), operator)

    def looked_at(self, y: Tensor, operator: Operator) -> Tensor:
        """What of a given y says something of the image: all of it, unless a subclass says less."""
        return y

    def loss(self, clean_estimate: Image, measurement: Measurement) -> PerSample:
        return per_sample_norm(measurement.y - measurement.operator.forward(clean_estimate))

    def residual(self, clean_estimate: Image, measurement: Measurement) -> PerSample | None:
        """‖y − A x̂‖₂/(σ_y √m), (B,), with m numbers in y that carry noise; None unless the noise is Gaussian, σ_y > 0.

        It is 1 ± 1/√(2m) where x̂ is the image that was measured. Below, the estimate has fitted the noise.
        """
        if not isinstance(self.noise, GaussianNoise) or self.noise.noise_sigma == 0:
            return None
        left = per_sample_norm(measurement.y - measurement.operator.forward(clean_estimate))
        return left / (self.noise.noise_sigma * self.noisy_numbers(measurement).to(left).sqrt())

    def noisy_numbers(self, measurement: Measurement) -> PerSample:
        """m, how many numbers of each y carry noise, (B,)."""
        y = measurement.y
        return torch.full((len(y),), float(y[0].numel()), device=y.device, dtype=torch.float32)

    def picture(self, measurement: Measurement) -> Image:
        """y clamped to [−1, 1], as a picture file holds it; one channel is grey, and what is no image one row."""
        y = measurement.y.clamp(-1, 1)
        if y.ndim != 4 or y.shape[1] not in (1, 3):
            y = y.reshape(len(y), 1, 1, -1)
        return y.expand(-1, 3, -1, -1)
