"""Inpainting: some pixels are not observed."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from dsg.data.examples import IMAGE, Examples
from dsg.diffusion.noise import NoiseStreams, Purpose
from dsg.errors import UserError
from dsg.types import Image, PerSample
from tasks.base import InverseProblem, Measurement
from tasks.noise import MeasurementNoise
from tasks.operators import Operator
from tasks.operators.mask import Mask
from tasks.shape import height_and_width


class Inpainting(InverseProblem):
    """y = m ⊙ (x + noise), with a mask m of each image's own that its channels share.

    Subclasses draw the mask, or find it in the data.

    Args:
        noise: what is added to the image; Gaussian with σ_y = 0.05 on [−1, 1] by default.
        noise_on_dropped: y = m ⊙ x + noise instead, as the published DPS and DSG code has it: y then has noise on
            dropped pixels too. It tells nothing of the image but adds a constant to the squared residual, so the
            gradient of the norm ‖y − m ⊙ x̂‖ is smaller; that changes DPS's step and not DSG's, which uses the
            gradient's direction alone.
    """

    def __init__(self, noise: MeasurementNoise | None = None, noise_on_dropped: bool = False) -> None:
        super().__init__(noise)
        self.noise_on_dropped = noise_on_dropped

    def check(self, shape: tuple[int, ...]) -> None:
        height_and_width(shape, type(self).__name__)

    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        if self.noise_on_dropped:
            return super().measure(examples, streams)
        reference = examples.tensor(IMAGE)
        operator = self.operator_of(examples, streams, tuple(reference.shape[1:]))
        return Measurement(operator.forward(self.noise(reference, streams)), operator)

    def looked_at(self, y: Tensor, operator: Operator) -> Tensor:
        """m ⊙ y, whatever stands where nothing was observed."""
        return operator.forward(y)

    def noisy_numbers(self, measurement: Measurement) -> PerSample:
        """Those observed; all of them with `noise_on_dropped`."""
        if self.noise_on_dropped:
            return super().noisy_numbers(measurement)
        return measurement.operator.parameters()["mask"].expand_as(measurement.y).flatten(1).sum(dim=1)

    def picture(self, measurement: Measurement) -> Image:
        """y, and black (−1) where pixels are dropped."""
        return torch.where(measurement.operator.parameters()["mask"] > 0, measurement.y.clamp(-1, 1), -1.0)


class DrawnInpainting(Inpainting):
    """Inpainting whose masks are drawn."""

    @abstractmethod
    def draw_mask(self, height: int, width: int, generator: np.random.Generator) -> np.ndarray:
        """The mask of one image, (H,W): 1 where it is observed, 0 where it is dropped."""

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Mask:
        size = height_and_width(shape, type(self).__name__)
        masks = [self.draw_mask(*size, generator) for generator in streams.generators(Purpose.OPERATOR)]
        return Mask(torch.from_numpy(np.stack(masks)).float()[:, None].to(streams.device))


class RandomInpainting(DrawnInpainting):
    """Pixels dropped at random: y = m ⊙ (x + noise).

    For each image a share p ~ U(drop_min, drop_max) is drawn; then round(p·H·W) different pixels are chosen, every
    choice of that many being equally probable, and dropped in all channels.

    Args:
        drop_min: least share of dropped pixels, in (0, 1).
        drop_max: largest share, in (0, 1) and at least drop_min; equal to it for a fixed share.
        noise: what is added to the image; Gaussian with σ_y = 0.05 on [−1, 1] by default.
        noise_on_dropped: add noise on dropped pixels too (see Inpainting); true for numbers comparable with the
            published DPS and DSG code.

    Raises:
        UserError: for shares outside (0, 1) or in the wrong order.
    """

    def __init__(
        self,
        drop_min: float = 0.3,
        drop_max: float = 0.7,
        noise: MeasurementNoise | None = None,
        noise_on_dropped: bool = False,
    ) -> None:
        super().__init__(noise, noise_on_dropped)
        if not 0 < drop_min <= drop_max < 1:
            raise UserError(
                "RandomInpainting: need 0 < drop_min <= drop_max < 1 (shares of dropped pixels), "
                f"got drop_min={drop_min}, drop_max={drop_max}"
            )
        self.drop_min, self.drop_max = drop_min, drop_max

    def draw_mask(self, height: int, width: int, generator: np.random.Generator) -> np.ndarray:
        mask = np.ones(height * width, dtype=np.float32)
        dropped = round(generator.uniform(self.drop_min, self.drop_max) * mask.size)
        mask[generator.choice(mask.size, dropped, replace=False, shuffle=False)] = 0
        return mask.reshape(height, width)


class BoxInpainting(DrawnInpainting):
    """A square dropped somewhere: y = m ⊙ (x + noise).

    Args:
        size: side of the square in pixels, at least 1.
        size_max: if given, each image's side is drawn from size, ..., size_max.
        margin: pixels between the square and the border that are always observed, at least 0.
        centred: put the square in the middle instead of at a random place.
        noise: what is added to the image; Gaussian with σ_y = 0.05 on [−1, 1] by default.
        noise_on_dropped: add noise on dropped pixels too (see Inpainting); true for numbers comparable with the
            published DPS code.

    Raises:
        UserError: for sides below 1 or in the wrong order, a negative margin, or a square that does not fit.
    """

    def __init__(
        self,
        size: int = 128,
        size_max: int | None = None,
        margin: int = 16,
        centred: bool = False,
        noise: MeasurementNoise | None = None,
        noise_on_dropped: bool = False,
    ) -> None:
        super().__init__(noise, noise_on_dropped)
        self.size, self.size_max = size, size if size_max is None else size_max
        self.margin, self.centred = margin, centred
        if not 1 <= self.size <= self.size_max:
            raise UserError(f"BoxInpainting: need 1 <= size <= size_max (pixels), got size={size}, size_max={size_max}")
        if margin < 0:
            raise UserError(f"BoxInpainting: margin must be at least 0 pixels, got {margin}")

    def check(self, shape: tuple[int, ...]) -> None:
        height, width = height_and_width(shape, "BoxInpainting")
        if self.size_max + 2 * self.margin > min(height, width):
            raise UserError(
                f"BoxInpainting: a square of {self.size_max} pixels with a margin of {self.margin} does not fit into "
                f"{height}x{width}: choose them so that size + 2*margin <= {min(height, width)}"
            )

    def draw_mask(self, height: int, width: int, generator: np.random.Generator) -> np.ndarray:
        side = generator.integers(self.size, self.size_max, endpoint=True)
        free = np.array([height, width]) - side - 2 * self.margin
        place = free // 2 if self.centred else generator.integers(0, free, endpoint=True)
        top, left = place + self.margin
        mask = np.ones((height, width), dtype=np.float32)
        mask[top : top + side, left : left + side] = 0
        return mask
