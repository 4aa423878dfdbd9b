"""JPEG artefacts: only a compressed picture is observed."""

from __future__ import annotations

from torch import Tensor

from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.types import Image
from tasks.base import InverseProblem
from tasks.noise import GaussianNoise, MeasurementNoise
from tasks.operators import Operator
from tasks.operators.jpeg_codec import JPEGCodec
from tasks.shape import height_and_width


class JPEG(InverseProblem):
    """y = JPEG(x) + noise: the image compressed at `quality` and decompressed again (see JPEGCodec), (B,3,H,W).

    The loss ‖y − JPEG(x̂)‖ compresses the estimate too, rounding and all. Its gradient is taken straight through the
    compression, as if that were the identity:  −(y − JPEG(x̂))/‖y − JPEG(x̂)‖, and 0 where both compress alike. So what
    the compression drops of both is not corrected, and left to the model.

    The loss jumps where a coefficient is rounded the other way. The same batch gives the same bits; in a batch of
    another size, where the network's last digits differ, a sample can now and then take another turn.

    Args:
        quality: 1 to 100, as in libjpeg; 5 to 10 are published for restoration (Kawar et al. 2022, 2209.11888).
        subsample_chroma: keep the colours at half the resolution (4:2:0), as most cameras do.
        noise: what is added to the decompressed image; none (Gaussian with σ_y = 0) by default, as a file has none.

    Raises:
        UserError: for a quality outside its range, or images that have not three channels.
    """

    def __init__(
        self, quality: int = 10, subsample_chroma: bool = False, noise: MeasurementNoise | None = None
    ) -> None:
        super().__init__(noise if noise is not None else GaussianNoise(0.0))
        if not 1 <= quality <= 100:
            raise UserError(f"JPEG: quality must be 1 to 100, got {quality}")
        self.quality, self.subsample_chroma = quality, subsample_chroma

    def check(self, shape: tuple[int, ...]) -> None:
        height_and_width(shape, "JPEG")
        if shape[0] != 3:
            raise UserError(f"JPEG: needs images of 3 channels, got {shape[0]}: choose another model or task")

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> StraightThrough:
        self.check(shape)
        return StraightThrough(JPEGCodec(self.quality, self.subsample_chroma, streams.device))


class StraightThrough(Operator):
    """A(x) = codec(x), with the gradient of the identity."""

    def __init__(self, codec: JPEGCodec) -> None:
        self.codec = codec

    def forward(self, x: Image) -> Tensor:
        return self.codec(x.detach()) + (x - x.detach())
