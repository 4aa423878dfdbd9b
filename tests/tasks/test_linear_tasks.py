"""The contract of every linear task. A new task joins by one line in TASKS."""

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks import (
    BoxInpainting,
    Colourisation,
    Denoising,
    GaussianDeblurring,
    MotionDeblurring,
    PoissonNoise,
    RandomInpainting,
    SuperResolution,
)
from tasks.operators import LinearOperator
from tasks.operators.matrix_free import MatrixFree
from tasks.operators.spectral import CUTOFF, SpectralOperator

TASKS = {
    "denoising": Denoising(),
    "random_inpainting": RandomInpainting(),
    "random_inpainting_noisy_mask": RandomInpainting(0.5, 0.5, noise_on_dropped=True),
    "box_inpainting": BoxInpainting(16, 24, margin=4),
    "super_resolution_2": SuperResolution(2),
    "super_resolution_4": SuperResolution(4),
    "super_resolution_8": SuperResolution(8, noise=PoissonNoise()),
    "gaussian_deblurring": GaussianDeblurring(),
    "gaussian_deblurring_narrow": GaussianDeblurring(9, 1.0),
    "colourisation": Colourisation(),
    "colourisation_luma": Colourisation("luma"),
    "motion_deblurring": MotionDeblurring(61),
    "motion_deblurring_circular": MotionDeblurring(61, padding="circular"),
    "motion_deblurring_straight": MotionDeblurring(15, 0.0),
}
SHAPES = [(3, 64, 64), (3, 48, 80)]
ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-6}


def streams(*images: str) -> NoiseStreams:
    return NoiseStreams([SampleKey(7, image) for image in images])


# Those with a closed form; an iteration that stops early is no linear map.
SPECTRAL = {
    name: task for name, task in TASKS.items() if isinstance(task.operator(SHAPES[0], streams("a")), SpectralOperator)
}

every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
every_spectral_task = pytest.mark.parametrize("task", SPECTRAL.values(), ids=SPECTRAL)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_precision = pytest.mark.parametrize("dtype", ROUNDING, ids=str)


@pytest.fixture(autouse=True)
def _same_numbers_every_time():
    torch.manual_seed(0)


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).flatten(1).sum(dim=1)


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


@every_task
@every_shape
@every_precision
@pytest.mark.parametrize("batch", [1, 3])
def test_the_adjoint_is_the_adjoint(task, shape, dtype, batch):
    operator = task.operator(shape, streams(*"abc"[:batch]))
    x = torch.randn(batch, *shape, dtype=dtype)
    image = operator.forward(x)
    y = torch.randn_like(image)
    back = operator.adjoint(y)
    assert image.dtype == back.dtype == dtype
    assert back.shape == x.shape
    error = (dot(image, y) - dot(x, back)).abs() / (image.flatten(1).norm(dim=1) * y.flatten(1).norm(dim=1))
    assert error.max() <= ROUNDING[dtype]


@every_task
@every_shape
@every_precision
def test_the_pseudo_inverse_solves_what_can_be_solved(task, shape, dtype):
    """A A⁺ A x = A x, up to what the cutoff or the number of iterations leaves out."""
    operator = task.operator(shape, streams("a", "b"))
    y = operator.forward(torch.randn(2, *shape, dtype=dtype))
    tolerance = 1e-2 if isinstance(operator, MatrixFree) else 5 * CUTOFF
    assert distance(operator.forward(operator.pseudo_inverse(y)), y) <= tolerance


@every_spectral_task
@every_shape
@every_precision
def test_the_pseudo_inverse_of_what_it_explains_is_itself(task, shape, dtype):
    """A⁺ A A⁺ y = A⁺ y."""
    operator = task.operator(shape, streams("a", "b"))
    x = operator.pseudo_inverse(torch.randn_like(operator.forward(torch.randn(2, *shape, dtype=dtype))))
    assert distance(operator.pseudo_inverse(operator.forward(x)), x) <= ROUNDING[dtype] / CUTOFF


@every_spectral_task
@every_shape
@every_precision
def test_the_pseudo_inverse_makes_orthogonal_projections(task, shape, dtype):
    """A⁺ A and A A⁺ are symmetric, so A⁺ y is the solution of least squares that has the least norm."""
    operator = task.operator(shape, streams("a", "b"))
    x, z = torch.randn(2, 2, *shape, dtype=dtype)
    y = operator.forward(x)
    for a, b, project in [
        (x, z, lambda image: operator.pseudo_inverse(operator.forward(image))),
        (torch.randn_like(y), torch.randn_like(y), lambda y: operator.forward(operator.pseudo_inverse(y))),
    ]:
        error = dot(project(a), b) - dot(a, project(b))
        assert (error.abs() / (a.norm() * b.norm())).max() <= ROUNDING[dtype] * 100


@every_spectral_task
@every_shape
@every_precision
def test_the_singular_value_decomposition_is_the_operator(task, shape, dtype):
    """A = U S Vᵀ with UᵀU = I on measurements that A makes, and VᵀV = I."""
    operator = task.operator(shape, streams("a", "b"))
    x = torch.randn(2, *shape, dtype=dtype)
    y, coefficients = operator.forward(x), operator.v_adjoint(x)
    s = operator.singular_values(y)
    assert s.dtype == dtype
    assert (s >= 0).all()
    assert distance(operator.u(s * coefficients), y) <= ROUNDING[dtype] * 10
    assert distance(operator.u_adjoint(y), s * coefficients) <= ROUNDING[dtype] * 10
    assert distance(operator.v_adjoint(operator.v(coefficients)), coefficients) <= ROUNDING[dtype] * 10


@every_spectral_task
@every_shape
def test_the_norm_is_the_one_that_power_iterations_find(task, shape):
    """They come from below: by 1 % at most here."""
    operator = task.operator(shape, streams("a", "b"))
    y = operator.forward(torch.randn(2, *shape))
    ratio = LinearOperator.norm(operator, y) / operator.norm(y)
    assert ratio.shape == (2,)
    assert (ratio <= 1 + 1e-5).all()
    assert (ratio >= 0.99).all()


@every_task
@every_shape
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.01), (0.3, 2.0), (0.0, 0.5)])
def test_the_regularised_inverse_solves_its_system_also_where_y_is_not_in_the_range_of_a(task, shape, scale, shift):
    """(scale·A Aᵀ + shift·I) z = y, up to rounding or the tolerance of the iteration."""
    operator = task.operator(shape, streams("a", "b"))
    y = torch.randn_like(operator.forward(torch.zeros(2, *shape)))
    z = operator.regularised_inverse(y, scale, shift)
    assert distance(scale * operator.forward(operator.adjoint(z)) + shift * z, y) <= 2e-5


@every_task
@every_shape
@pytest.mark.parametrize("rho", [0.01, 1.0])
def test_the_proximal_point_is_where_the_gradient_of_its_objective_vanishes(task, shape, rho):
    """Aᵀ (A u − y) + ρ (u − x) = 0."""
    operator = task.operator(shape, streams("a", "b"))
    x = torch.randn(2, *shape)
    y = torch.randn_like(operator.forward(x))
    u = operator.proximal(x, y, rho)
    pull = rho * (u - x)
    assert (operator.adjoint(operator.forward(u) - y) + pull).norm() <= 1e-3 * pull.norm()


@every_spectral_task
@every_shape
def test_the_proximal_point_without_regularisation_is_the_nearest_solution(task, shape):
    operator = task.operator(shape, streams("a", "b"))
    x, y = torch.randn(2, *shape), operator.forward(torch.randn(2, *shape))
    expected = x + operator.pseudo_inverse(y - operator.forward(x))
    assert distance(operator.proximal(x, y, 0.0), expected) <= 1e-6


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (-1.0, 1.0)])
def test_a_matrix_that_is_not_positive_definite_is_refused(scale, shift):
    operator = Denoising().operator(SHAPES[0], streams("a"))
    with pytest.raises(ValueError, match="shift > 0"):
        operator.regularised_inverse(torch.zeros(1, *SHAPES[0]), scale, shift)


def test_the_noise_level_of_a_task_is_asked_of_gaussian_noise_alone():
    assert Denoising().noise_sigma == 0.05
    with pytest.raises(UserError, match=r"PoissonNoise.*GaussianNoise"):
        _ = Denoising(noise=PoissonNoise()).noise_sigma


def test_a_task_shows_its_operator_at_a_size_that_it_takes():
    assert isinstance(BoxInpainting(100).example_operator(), SpectralOperator)
    assert isinstance(MotionDeblurring(61).example_operator(), MatrixFree)


@every_task
@every_shape
def test_an_image_is_measured_alike_in_every_batch_and_order(task, shape):
    ids = ["a", "b", "c"]
    images = {i: torch.rand(shape) * 2 - 1 for i in ids}

    def measure(*names):
        measurement = task.measure(Examples(torch.stack([images[n] for n in names])), streams(*names))
        return measurement.y, measurement.operator.parameters()

    y, parameters = measure(*ids)
    shuffled_y, shuffled = measure("c", "a", "b")
    for row, name in enumerate(ids):
        alone_y, alone = measure(name)
        place = "cab".index(name)
        torch.testing.assert_close(y[row], alone_y[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(y[row], shuffled_y[place], rtol=0, atol=1e-5)
        for key, value in parameters.items():
            assert torch.equal(value[row], alone[key][0])
            assert torch.equal(value[row], shuffled[key][place])
    if parameters:
        assert all(not torch.equal(value[0], value[1]) for value in parameters.values())


@every_task
@every_shape
def test_the_loss_is_a_norm_of_each_sample_and_has_a_gradient(task, shape):
    x = torch.rand(3, *shape) * 2 - 1
    measurement = task.measure(Examples(x), streams("a", "b", "c"))
    estimate = torch.zeros(3, *shape, requires_grad=True)
    loss = task.loss(estimate, measurement)
    expected = [(measurement.y[i] - measurement.operator.forward(torch.zeros_like(x))[i]).norm() for i in range(3)]
    torch.testing.assert_close(loss.detach(), torch.stack(expected), rtol=1e-5, atol=0)
    (gradient,) = torch.autograd.grad(loss.sum(), estimate)
    assert loss.shape == (3,)
    assert gradient.isfinite().all()
    assert (gradient.flatten(1).norm(dim=1) > 0).all()


@every_task
@every_shape
def test_the_gradient_of_the_loss_is_the_adjoint_of_the_unit_residual(task, shape):
    measurement = task.measure(Examples(torch.rand(2, *shape, dtype=torch.float64)), streams("a", "b"))
    estimate = torch.randn(2, *shape, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(task.loss(estimate, measurement).sum(), estimate)
    residual = measurement.y - measurement.operator.forward(estimate.detach())
    unit = residual / residual.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    assert distance(-measurement.operator.adjoint(unit), gradient) <= 1e-12


@every_task
@every_shape
def test_the_gradient_is_zero_where_the_residual_is(task, shape):
    operator = task.operator(shape, streams("a", "b"))
    x = torch.randn(2, *shape, requires_grad=True)
    perfect = type(task.measure(Examples(x.detach()), streams("a", "b")))(operator.forward(x.detach()), operator)
    (gradient,) = torch.autograd.grad(task.loss(x, perfect).sum(), x)
    assert (gradient == 0).all()


@every_task
@every_shape
def test_the_picture_is_an_image_of_the_references_size(task, shape):
    measurement = task.measure(Examples(torch.rand(2, *shape) * 2 - 1), streams("a", "b"))
    picture = task.picture(measurement)
    assert picture.shape == (2, *shape)
    assert picture.abs().max() <= 1


@every_task
def test_a_task_fits_the_shapes_that_it_is_tested_on(task):
    for shape in SHAPES:
        task.check(shape)
