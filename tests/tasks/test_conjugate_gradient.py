import torch

from tasks.operators.conjugate_gradient import MatrixFree, least_squares


class Dense(MatrixFree):
    """One matrix a sample, (B,m,n), on images (1,1,n)."""

    def __init__(self, matrices: torch.Tensor) -> None:
        super().__init__((1, 1, matrices.shape[-1]))
        self.matrices = matrices

    def forward(self, x):
        return torch.einsum("bmn,bcdn->bm", self.matrices, x)


def rank_deficient(batch: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(batch, 6, 3, dtype=torch.float64) @ torch.randn(batch, 3, 8, dtype=torch.float64)


def test_the_adjoint_is_the_transpose_even_without_grad():
    operator, y = Dense(rank_deficient(3)), torch.randn(3, 6, dtype=torch.float64)
    with torch.no_grad():
        back = operator.adjoint(y)
    torch.testing.assert_close(back[:, 0, 0], (operator.matrices.mT @ y[..., None])[..., 0])
    assert not back.requires_grad


def test_the_adjoint_is_differentiable():
    operator, y = Dense(rank_deficient(2)), torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    z = torch.randn(2, 1, 1, 8, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(operator.adjoint(y), y, z)
    torch.testing.assert_close(gradient, operator.forward(z))


def test_it_finds_the_least_squares_solution_of_least_norm():
    operator, y = Dense(rank_deficient(4)), torch.randn(4, 6, dtype=torch.float64)
    x = least_squares(operator.forward, operator.adjoint, y, tolerance=1e-10)
    expected = torch.linalg.pinv(operator.matrices) @ y[..., None]
    torch.testing.assert_close(x[:, 0, 0], expected[..., 0], rtol=1e-6, atol=1e-8)


def test_a_sample_does_not_depend_on_when_its_neighbours_stop():
    matrices, y = rank_deficient(3), torch.randn(3, 6, dtype=torch.float64)
    matrices[1] = torch.eye(6, 8, dtype=torch.float64)  # one iteration is enough
    together = Dense(matrices).pseudo_inverse(y)
    for i in range(3):
        alone = Dense(matrices[i : i + 1]).pseudo_inverse(y[i : i + 1])
        torch.testing.assert_close(together[i], alone[0], rtol=1e-8, atol=1e-10)


def test_nothing_measured_is_explained_by_nothing():
    assert (Dense(rank_deficient(2)).pseudo_inverse(torch.zeros(2, 6, dtype=torch.float64)) == 0).all()
