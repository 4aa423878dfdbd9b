"""Quality of one picture against its reference. All values are per image; nothing is pooled over a batch."""

from __future__ import annotations

from dsg.errors import installed
from dsg.types import Image, PerSample

with installed("torchmetrics", "PSNR and SSIM"):
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

SSIM_WINDOW = 11
"""Pixels a side of the window of SSIM: the least size of an image."""


def psnr(sample: Image, reference: Image) -> PerSample:
    """Peak signal-to-noise ratio in dB of each image, −10 log₁₀ MSE on [0, 1], (B,). Both in [0, 1]."""
    return peak_signal_noise_ratio(sample, reference, data_range=1.0, reduction="none", dim=(1, 2, 3))


def ssim(sample: Image, reference: Image) -> PerSample:
    """Structural similarity of each image, (B,): the mean over windows inside the image, and over channels.

    Wang et al. 2004, eq. 13: 11x11 Gaussian window, σ 1.5, K₁ .01, K₂ .03. Both in [0, 1]; H and W at least 11.
    """
    _, whole = structural_similarity_index_measure(
        sample, reference, data_range=1.0, reduction="none", return_full_image=True
    )
    border = SSIM_WINDOW // 2  # its windows reach over the edge, where there is only a mirrored image
    return whole[..., border:-border, border:-border].mean(dim=(1, 2, 3))
