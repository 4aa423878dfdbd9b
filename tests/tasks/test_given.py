"""Measurements, masks and kernels that the data brings."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from dsg.data.examples import Examples
from dsg.data.measured.kernels import centred
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DPS
from dsg.sampling import Sampler
from dsg.types import per_sample_norm
from tasks import (
    BoxInpainting,
    ClassLabel,
    Colourisation,
    Denoising,
    GaussianDeblurring,
    GaussianNoise,
    Generation,
    GivenKernelDeblurring,
    GivenMaskInpainting,
    HighDynamicRange,
    MotionDeblurring,
    PhaseRetrieval,
    RandomInpainting,
    RandomProjection,
    SuperResolution,
)
from tasks.operators import LinearOperator, SpectralOperator
from tests.toy import Toy

SHAPE = (3, 16, 24)
STREAMS = NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")])
X = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(1)) * 2 - 1
MASKS = (torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(2)) < 0.5).float()
KERNELS = torch.rand(2, 1, 5, 5, generator=torch.Generator().manual_seed(3))
COLUMNS = {"mask": MASKS, "kernel": KERNELS / KERNELS.sum((2, 3), keepdim=True)}
FIXED = {
    "denoising": Denoising(),
    "gaussian_deblurring": GaussianDeblurring(9, 1.0),
    "super_resolution": SuperResolution(4),
    "colourisation": Colourisation(),
    "clipping": HighDynamicRange(),
    "phase_retrieval": PhaseRetrieval(),
    "centred_box": BoxInpainting(8, margin=2, centred=True),
    "given_mask": GivenMaskInpainting(),
    "given_kernel": GivenKernelDeblurring(),
    "given_kernel_circular": GivenKernelDeblurring("circular"),
}
DRAWN = {
    "random_inpainting": RandomInpainting(),
    "box_inpainting": BoxInpainting(8, margin=2),
    "motion_deblurring": MotionDeblurring(5),
}
every_fixed_task = pytest.mark.parametrize("task", FIXED.values(), ids=FIXED)


@every_fixed_task
def test_a_measurement_that_is_given_back_to_its_task_is_the_same_measurement(task):
    made = task.measurement_of(Examples(X, COLUMNS), STREAMS, SHAPE)
    columns = {**COLUMNS, "measurement": made.y}
    for images in (None, X):  # the truth beside changes nothing
        given = task.measurement_of(Examples(images, columns), STREAMS, SHAPE)
        assert torch.equal(given.y, made.y)
        assert torch.equal(given.operator.forward(X), made.operator.forward(X))
        assert torch.equal(task.loss(0.5 * X, given), task.loss(0.5 * X, made))
        assert torch.equal(task.residual(0.5 * X, given), task.residual(0.5 * X, made))


@every_fixed_task
def test_a_given_measurement_needs_no_image_and_is_compared_with_one_only_where_it_is_there(task):
    columns = frozenset({"measurement", "mask", "kernel"})
    task.check_columns(columns)
    assert task.compares(columns) is None
    assert task.compares(columns | {"image"}) == "image"
    examples = Examples(None, {**COLUMNS, "measurement": X})
    assert task.truth(examples, SHAPE) is None
    assert task.truth(Examples(X, examples.columns), SHAPE) is X


@every_fixed_task
def test_a_measurement_of_another_shape_is_refused_with_both_shapes(task):
    y = torch.zeros(2, 3, 5, 7)
    with pytest.raises(UserError, match=r"of images \(3, 16, 24\) measures \(.*the given measurements are \(3, 5, 7\)"):
        task.measurement_of(Examples(None, {**COLUMNS, "measurement": y}), STREAMS, SHAPE)


@pytest.mark.parametrize("task", DRAWN.values(), ids=DRAWN)
def test_a_task_that_draws_its_operator_refuses_what_was_measured_through_another(task):
    with pytest.raises(UserError, match=r"draws another operator .*tasks.GivenMaskInpainting with data.masks"):
        task.measurement_of(Examples(None, {"measurement": X}), STREAMS, SHAPE)


def test_random_matrices_are_drawn_too():
    with pytest.raises(UserError, match="RandomProjection draws another operator"):
        RandomProjection(2).expected((6,))


@pytest.mark.parametrize("task", [Generation(), ClassLabel.__new__(ClassLabel)], ids=["generation", "class_label"])
def test_a_task_without_an_operator_takes_no_measurement(task):
    with pytest.raises(UserError, match=f"{type(task).__name__} takes no measurement that somebody else made"):
        task.check_columns(frozenset({"measurement"}))
    with pytest.raises(UserError, match="takes no measurement"):
        task.measurement_of(Examples(None, {"measurement": X}), STREAMS, SHAPE)


@pytest.mark.parametrize(("task", "column"), [(GivenMaskInpainting(), "mask"), (GivenKernelDeblurring(), "kernel")])
def test_what_the_measurement_was_made_through_is_needed(task, column):
    with pytest.raises(UserError, match=f"needs {column} of every example"):
        task.check_columns(frozenset({"measurement"}))


def test_what_lies_on_dropped_pixels_is_not_looked_at():
    task, magenta = GivenMaskInpainting(), torch.where(MASKS > 0, X, 77.0)
    given = task.measurement_of(Examples(None, {"measurement": magenta, "mask": MASKS}), STREAMS, SHAPE)
    assert torch.equal(given.y, MASKS * X)
    assert task.loss(X, given).tolist() == [0, 0]
    noise = torch.full_like(X, 0.05)  # one σ on every observed number
    assert torch.allclose(task.residual(X + noise, given), torch.ones(2), atol=1e-5)


def test_a_sampler_is_guided_by_a_measurement_without_any_image():
    sampler = Sampler(Toy(16), Denoising(), DPS(1.0), steps=2)
    y = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    process = sampler.begin(Examples(None, {"measurement": y}), NoiseStreams(STREAMS.keys))
    assert process.measurement.y is y
    *_, last = sampler.run(process)
    assert last.loss is not None
    assert last.x_prev.isfinite().all()
    drawing = Sampler(Toy(16), RandomInpainting(), DPS(1.0), steps=2)
    with pytest.raises(UserError, match="RandomInpainting draws another operator"):
        drawing.begin(Examples(None, {"measurement": y}), NoiseStreams(STREAMS.keys))


def test_masks_and_kernels_of_the_data_serve_measurements_that_are_made_too():
    silent = GaussianNoise(0.0)
    masked = GivenMaskInpainting(silent).measurement_of(Examples(X, COLUMNS), STREAMS, SHAPE)
    assert torch.equal(masked.y, MASKS * X)
    blurred = GivenKernelDeblurring(noise=silent).measurement_of(Examples(X, COLUMNS), STREAMS, SHAPE)
    expected = convolve(X[1, 2].double(), COLUMNS["kernel"][1, 0].double(), mode="mirror")
    np.testing.assert_allclose(blurred.y[1, 2], expected, atol=1e-6)


@pytest.mark.parametrize(("padding", "mode"), [("reflect", "mirror"), ("circular", "wrap")])
@pytest.mark.parametrize("sides", [(5, 5), (1, 7), (4, 4), (6, 3), (1, 1)], ids=str)
def test_a_kernel_of_any_sides_blurs_as_scipys_convolution_does(padding, mode, sides):
    kernel = torch.rand(sides, dtype=torch.float64)
    columns = {"kernel": centred(kernel)[None].expand(2, -1, -1, -1)}
    task = GivenKernelDeblurring(padding, GaussianNoise(0.0))
    y = task.measure(Examples(X, columns), STREAMS).y
    np.testing.assert_allclose(y[0, 1], convolve(X[0, 1].double(), kernel, mode=mode), atol=1e-5)


def test_the_adjoint_of_given_operators_is_the_adjoint():
    for task in (GivenMaskInpainting(), GivenKernelDeblurring(), GivenKernelDeblurring("circular")):
        operator = task.operator_of(Examples(None, COLUMNS), STREAMS, SHAPE)
        assert isinstance(operator, LinearOperator)
        y = torch.flip(X, (0, 2))
        left, right = ((a * b).flatten(1).sum(1) for a, b in ((operator.forward(X), y), (X, operator.adjoint(y))))
        assert torch.allclose(left, right, rtol=1e-4)
        assert (per_sample_norm(operator.forward(X)) > 0).all()


def test_a_given_operator_shows_what_it_can_do_before_any_example():
    assert isinstance(GivenMaskInpainting().example_operator(), SpectralOperator)
    assert isinstance(GivenKernelDeblurring("circular").example_operator(), SpectralOperator)
    assert not isinstance(GivenKernelDeblurring().example_operator(), SpectralOperator)
    with pytest.raises(UserError, match="padding must be reflect or circular, got wrap"):
        GivenKernelDeblurring("wrap")


@pytest.mark.parametrize(
    ("task", "columns", "words"),
    [
        (GivenMaskInpainting(), {"mask": MASKS[..., :-1]}, r"\(1, 16, 24\), got \(1, 16, 23\)"),
        (GivenMaskInpainting(), {"mask": 0.5 * MASKS}, "got other numbers"),
        (GivenKernelDeblurring(), {"kernel": KERNELS[..., :4, :4]}, r"K odd, got \(1, 4, 4\)"),
        (GivenKernelDeblurring(), {"kernel": KERNELS[..., :3]}, r"K odd, got \(1, 5, 3\)"),
    ],
)
def test_masks_and_kernels_that_are_none_are_refused(task, columns, words):
    with pytest.raises(UserError, match=words):
        task.measurement_of(Examples(X, columns), STREAMS, SHAPE)
