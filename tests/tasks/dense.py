"""Dense matrices as operators that only say how they map forward."""

import torch

from tasks.operators.matrix_free import MatrixFree


class Dense(MatrixFree):
    """One matrix a sample, (B,m,n), on images (1,1,n)."""

    def __init__(self, matrices: torch.Tensor) -> None:
        super().__init__((1, 1, matrices.shape[-1]))
        self.matrices = matrices

    def forward(self, x):
        return torch.einsum("bmn,bcdn->bm", self.matrices, x)


def rank_deficient(batch: int) -> torch.Tensor:
    """Matrices (B,6,8) of rank 3, float64."""
    torch.manual_seed(0)
    return torch.randn(batch, 6, 3, dtype=torch.float64) @ torch.randn(batch, 3, 8, dtype=torch.float64)
