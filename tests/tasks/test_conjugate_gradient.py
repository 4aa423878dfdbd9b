"""The one solver of least squares and of positive definite systems, against dense algebra and against scipy."""

import numpy as np
import pytest
import torch
from scipy.sparse import linalg

from tasks.operators.conjugate_gradient import conjugate_gradients
from tests.tasks.dense import Dense, rank_deficient


def solve(matrices, y=None, pull=0.0, shift=0.0, **limits):
    """`conjugate_gradients` with one dense matrix a sample, on vectors."""
    return conjugate_gradients(
        lambda x: (matrices @ x[..., None])[..., 0],
        lambda r: (matrices.mT @ r[..., None])[..., 0],
        y,
        pull,
        shift,
        **limits,
    )


@pytest.fixture
def problem():
    """Matrices (4,20,12) with singular values from 1 down to 1/30, y, and a pull."""
    generator = torch.Generator().manual_seed(0)
    u, _, vt = torch.linalg.svd(torch.randn(4, 20, 12, generator=generator).double(), full_matrices=False)
    s = torch.logspace(0, -1.5, 12, dtype=torch.float64)
    return (u * s) @ vt, *(torch.randn(4, n, generator=generator).double() for n in (20, 12))


def test_it_finds_the_least_squares_solution_of_least_norm():
    matrices, y = rank_deficient(4), torch.randn(4, 6, dtype=torch.float64)
    expected = torch.linalg.pinv(matrices) @ y[..., None]
    torch.testing.assert_close(solve(matrices, y, tolerance=1e-10), expected[..., 0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shift", [0.0, 0.01, 2.0])
def test_scipys_lsqr_finds_the_same_damped_least_squares(problem, shift):
    matrices, y, _ = problem
    ours = solve(matrices, y, shift=shift, tolerance=1e-12)
    for matrix, right, x in zip(matrices, y, ours, strict=True):
        theirs = linalg.lsqr(matrix.numpy(), right.numpy(), damp=shift**0.5, atol=1e-14, btol=1e-14)[0]
        np.testing.assert_allclose(x, theirs, rtol=1e-8, atol=1e-9)


def test_scipys_conjugate_gradients_find_the_same_positive_definite_solution(problem):
    matrices, _, pull = problem
    ours = solve(matrices, pull=pull, shift=0.05, tolerance=1e-12)
    for matrix, right, x in zip(matrices, pull, ours, strict=True):
        theirs, failed = linalg.cg((matrix.mT @ matrix).numpy() + 0.05 * np.eye(12), right.numpy(), rtol=1e-14)
        assert not failed
        np.testing.assert_allclose(x, theirs, rtol=1e-8, atol=1e-9)


def test_a_measurement_and_a_pull_are_solved_together(problem):
    matrices, y, pull = problem
    normal = matrices.mT @ matrices + 0.1 * torch.eye(12).double()
    expected = torch.linalg.solve(normal, (matrices.mT @ y[..., None])[..., 0] + pull)
    torch.testing.assert_close(solve(matrices, y, pull, 0.1, tolerance=1e-12), expected, rtol=1e-8, atol=1e-9)


def test_in_float32_the_slope_made_from_the_residual_keeps_what_a_carried_one_loses():
    """A consistent system of condition 1000: scipy's float32 CG on AᵀA, which squares it, ends farther from x."""
    generator = torch.Generator().manual_seed(1)
    u, _, vt = torch.linalg.svd(torch.randn(8, 30, 30, generator=generator).double())
    matrices = ((u * torch.logspace(0, -3, 30, dtype=torch.float64)) @ vt).float()
    x = torch.randn(8, 30, generator=generator)
    y = (matrices.double() @ x.double()[..., None])[..., 0].float()
    ours = solve(matrices, y, tolerance=1e-9)
    normal, right = matrices.mT @ matrices, (matrices.mT @ y[..., None])[..., 0]
    theirs = torch.stack(
        [
            torch.from_numpy(linalg.cg(m.numpy(), b.numpy(), rtol=1e-9, maxiter=500)[0])
            for m, b in zip(normal, right, strict=True)
        ]
    )
    assert (ours - x).norm() < 0.5 * (theirs - x).norm()


def test_a_sample_does_not_depend_on_when_its_neighbours_stop(problem):
    matrices, y, pull = problem
    matrices[1] = torch.eye(20, 12, dtype=torch.float64)  # one iteration is enough
    together = solve(matrices, y, pull, 0.1)
    for i in range(4):
        alone = solve(matrices[i : i + 1], y[i : i + 1], pull[i : i + 1], 0.1)
        torch.testing.assert_close(together[i], alone[0], rtol=1e-8, atol=1e-10)


def test_a_sample_stops_where_its_own_slope_is_small_enough(problem):
    matrices, y, _ = problem
    x = solve(matrices, y, tolerance=1e-2)
    slopes, starts = ((matrices.mT @ r[..., None])[..., 0] for r in (y - (matrices @ x[..., None])[..., 0], y))
    ratio = slopes.norm(dim=1) / starts.norm(dim=1)
    assert (ratio <= 1e-2).all()
    assert (ratio > 1e-5).all()  # and no later


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_nothing_measured_is_explained_by_nothing(shift):
    zeros = torch.zeros(2, 6, dtype=torch.float64)
    assert (solve(rank_deficient(2), zeros, shift=shift) == 0).all()
    assert (Dense(rank_deficient(2)).pseudo_inverse(zeros) == 0).all()
    assert (Dense(rank_deficient(2)).regularised_inverse(zeros, 1.0, 0.5) == 0).all()


def test_neither_a_measurement_nor_a_pull_is_refused():
    with pytest.raises(ValueError, match="y or pull"):
        solve(rank_deficient(1))


@pytest.mark.parametrize("rows", [slice(0, 1), slice(0, 4)], ids=["alone", "among others"])
def test_of_what_is_no_number_there_is_no_solution_alone_and_among_others(problem, rows):
    matrices, y, _ = problem
    y[0, 0] = float("nan")
    finite = solve(matrices[rows], y[rows]).isfinite().all(dim=1)
    assert finite.tolist() == [False, True, True, True][rows]
