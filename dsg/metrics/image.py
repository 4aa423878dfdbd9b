"""Quality of one picture against its reference. All values are per image; nothing is pooled over a batch."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from dsg.types import Image, PerSample


def psnr(sample: Image, reference: Image) -> PerSample:
    """Peak signal-to-noise ratio in dB of each image, −10 log₁₀ MSE on [0, 1], (B,). Both in [0, 1]."""
    return peak_signal_noise_ratio(sample, reference, data_range=1.0, reduction="none", dim=(1, 2, 3))


def ssim(sample: Image, reference: Image) -> PerSample:
    """Structural similarity of each image (Wang et al. 2004; 11x11 Gaussian window, σ 1.5), (B,). Both in [0, 1]."""
    values = structural_similarity_index_measure(sample, reference, data_range=1.0, reduction="none")
    assert isinstance(values, Tensor)  # it is a pair only where the whole map is asked for
    return values.reshape(-1)
