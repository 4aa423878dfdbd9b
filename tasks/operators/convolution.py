"""Convolution with one kernel an image, by fast Fourier transforms."""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.types import Image
from tasks.operators.borders import mirror
from tasks.operators.constant import Constant
from tasks.operators.matrix_free import MatrixFree
from tasks.operators.spectral import SpectralOperator


class CircularConvolution(SpectralOperator):
    """A x = k ∗ x on the torus: A = F⁻¹ diag(k̂) F, s = |k̂|, V = F⁻¹, U = F⁻¹ diag(k̂/|k̂|).

    Args:
        kernel: k, (B,1,K,K) with K odd, float64; its centre is the origin, and it may be larger than the image.
        size: (H,W) of the images.
        device: where the images will be.
    """

    def __init__(self, kernel: Tensor, size: tuple[int, int], device: torch.device | str = "cpu") -> None:
        self.kernel, self.size = kernel.float().to(device), size
        places = torch.arange(kernel.shape[-1]) - kernel.shape[-1] // 2
        rows, columns = (torch.nn.functional.one_hot(places % n, n).double() for n in size)
        transfer = torch.fft.fft2(rows.mT @ kernel.double() @ columns)
        modulus = transfer.abs()
        self._half = Constant(transfer[..., : size[1] // 2 + 1], device)
        self._modulus = Constant(modulus, device)
        self._phase = Constant(torch.where(modulus > 0, transfer / torch.where(modulus > 0, modulus, 1), 1), device)

    def forward(self, x: Image) -> Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(x) * self._half.like(x), s=self.size)

    def adjoint(self, y: Tensor) -> Image:
        return torch.fft.irfft2(torch.fft.rfft2(y) * self._half.like(y).conj(), s=self.size)

    def parameters(self) -> dict[str, Tensor]:
        return {"kernel": self.kernel}

    def singular_values(self, like: Tensor) -> Tensor:
        return self._modulus.like(like.real)

    def u(self, coefficients: Tensor) -> Tensor:
        return self.v(self._phase.like(coefficients.real) * coefficients)

    def u_adjoint(self, y: Tensor) -> Tensor:
        return self._phase.like(y).conj() * self.v_adjoint(y)

    def v(self, coefficients: Tensor) -> Image:
        return torch.fft.ifft2(coefficients, norm="ortho").real

    def v_adjoint(self, x: Image) -> Tensor:
        return torch.fft.fft2(x, norm="ortho")


class ReflectedConvolution(MatrixFree):
    """A x = k ∗ x with x continued by reflection (the edge pixel not repeated), as often as the kernel asks for.

    Args:
        kernel: k, (B,1,K,K) with K odd, float64; its centre is the origin.
        shape: (C,H,W) of the images.
        device: where the images will be.
    """

    def __init__(self, kernel: Tensor, shape: tuple[int, ...], device: torch.device | str = "cpu") -> None:
        super().__init__(shape)
        self.kernel = kernel.float().to(device)
        self.extent = kernel.shape[-1] - 1
        half, size = self.extent // 2, shape[-2:]
        self._rows, self._columns = (
            mirror(torch.arange(-half, n + half), n, repeat_edge=False).to(device) for n in size
        )
        self._fft_size = [_fast_length(n + self.extent) for n in size]
        self._transfer = Constant(torch.fft.rfft2(kernel.double(), s=self._fft_size), device)

    def forward(self, x: Image) -> Tensor:
        extended = x.index_select(-2, self._rows).index_select(-1, self._columns)
        spectrum = torch.fft.rfft2(extended, s=self._fft_size) * self._transfer.like(x)
        full = torch.fft.irfft2(spectrum, s=self._fft_size)
        # The first `extent` values wrap around; those after them are the ones wanted.
        return full[..., self.extent : self.extent + x.shape[-2], self.extent : self.extent + x.shape[-1]]

    def parameters(self) -> dict[str, Tensor]:
        return {"kernel": self.kernel}


def _fast_length(minimum: int) -> int:
    """The smallest even number ≥ minimum without prime factors above 5: transforms of that length are fast."""
    length = minimum + minimum % 2
    while _without_small_factors(length) > 1:
        length += 2
    return length


def _without_small_factors(number: int) -> int:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number
