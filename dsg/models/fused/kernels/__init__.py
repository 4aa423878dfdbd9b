"""What a U-Net does between its convolutions as kernels of a GPU, in Triton, for channels-last feature maps."""

from dsg.models.fused.kernels.operations import Kernels

__all__ = ["Kernels"]
