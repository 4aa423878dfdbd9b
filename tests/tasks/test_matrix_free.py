"""Operators that only say how they map forward."""

import torch

from tests.tasks.dense import Dense, rank_deficient


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


def test_the_pseudo_inverse_is_the_dense_one_of_each_sample():
    operator, y = Dense(rank_deficient(4)), torch.randn(4, 6, dtype=torch.float64)
    expected = torch.linalg.pinv(operator.matrices) @ y[..., None]
    torch.testing.assert_close(operator.pseudo_inverse(y)[:, 0, 0], expected[..., 0], rtol=1e-3, atol=1e-4)


def test_the_regularised_inverse_is_the_dense_one_of_each_sample():
    operator, y = Dense(rank_deficient(4)), torch.randn(4, 6, dtype=torch.float64)
    dense = 0.3 * operator.matrices @ operator.matrices.mT + 0.2 * torch.eye(6, dtype=torch.float64)
    expected = torch.linalg.solve(dense, y)
    torch.testing.assert_close(operator.regularised_inverse(y, 0.3, 0.2), expected, rtol=1e-3, atol=1e-4)


def test_the_norm_is_the_largest_singular_value_of_each_sample_whoever_its_neighbours_are():
    matrices, y = rank_deficient(4) * torch.tensor([1.0, 10.0, 0.1, 0.0]).double()[:, None, None], torch.zeros(4, 6)
    norm = Dense(matrices).norm(y.double())
    torch.testing.assert_close(norm, torch.linalg.matrix_norm(matrices, ord=2), rtol=1e-2, atol=0)
    for i in range(4):
        alone = Dense(matrices[i : i + 1]).norm(y[i : i + 1].double())
        torch.testing.assert_close(norm[i], alone[0], rtol=1e-12, atol=0)
