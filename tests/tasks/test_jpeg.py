import io

import numpy as np
import pytest
import torch
from PIL import Image

from dsg.data.examples import Examples
from dsg.data.image_file import from_uint8, to_uint8
from dsg.data.portraits import HELD_OUT_START, render
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DAPS, DDNM, DPS, DSG, LGDMC, MPGD, TFG, UGD, FreeDoM, Guidance, PiGDM, REDDiff, Unguided
from dsg.sampling import Sampler
from tasks import JPEG
from tasks.operators.jpeg_codec import CHROMINANCE, LUMINANCE, JPEGCodec, scaled_table
from tests.toy import Toy

STREAMS = NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")])
SHAPES = {"whole blocks": (64, 64), "cropped": (50, 37)}


# The loss jumps, so that an image in a batch of another size is not always what it is alone: not in the contract tests.
METHODS = [
    DPS(0.5),
    DSG(guidance_rate=0.2),
    LGDMC(0.5, draws=3),
    DSG(LGDMC(draws=3), 0.2),
    FreeDoM(2.0),
    MPGD(0.5),
    UGD(0.5, 2, 0.2, 2),
    TFG(0.3, 0.1, 0.1),
    REDDiff(learning_rate=0.2),
    DAPS(likelihood_sigma=0.1),
]


def picture(height: int = 64, width: int = 64) -> torch.Tensor:
    """A portrait, (1,3,H,W) in [−1, 1], of whole levels of 255."""
    return from_uint8(to_uint8(torch.from_numpy(render(HELD_OUT_START).image)).permute(1, 2, 0).numpy())[
        None, :, :height, :width
    ]


def through_pillow(x: torch.Tensor, quality: int, subsample: bool) -> torch.Tensor:
    file = io.BytesIO()
    pixels = to_uint8(x[0]).permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=2 if subsample else 0)
    return from_uint8(np.asarray(Image.open(file)))[None]


def levels_apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return 127.5 * (a - b).abs()


every_quality = pytest.mark.parametrize("quality", [5, 10, 30, 75, 95])
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
with_and_without_chroma = pytest.mark.parametrize("subsample", [False, True], ids=["4:4:4", "4:2:0"])


@every_quality
@every_shape
def test_of_a_grey_picture_it_is_what_comes_back_from_pillows_file(quality, shape):
    """To half a level of 255 on average and a level in 93 of 100 pixels: Pillow rounds those, and its DCT is of whole
    numbers, so that a coefficient near a tie may fall the other way."""
    grey = picture(*shape).mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    grey = from_uint8(to_uint8(grey[0]).permute(1, 2, 0).numpy())[None]
    difference = levels_apart(JPEGCodec(quality)(grey), through_pillow(grey, quality, False))
    assert difference.mean() < 0.5
    assert (difference > 1).float().mean() < 0.07


class WholeLevels(JPEGCodec):
    """Luma and chroma are whole levels before they are transformed, as in a file."""

    def _quantise(self, planes, table):
        return super()._quantise(planes.round(), table)


@every_quality
@every_shape
@with_and_without_chroma
def test_with_colours_of_whole_levels_it_is_what_comes_back_from_pillows_file(quality, shape, subsample):
    """To 1.25 levels of 255 on average."""
    x = picture(*shape)
    assert levels_apart(WholeLevels(quality, subsample)(x), through_pillow(x, quality, subsample)).mean() < 1.25


@every_quality
@with_and_without_chroma
def test_without_that_rounding_it_loses_as_much_of_a_picture_as_pillow_does(quality, subsample):
    x = picture()
    ours = (JPEGCodec(quality, subsample)(x) - x).norm().item()
    theirs = (through_pillow(x, quality, subsample) - x).norm().item()
    assert ours == pytest.approx(theirs, rel=0.05)


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 75, 90, 100])
def test_the_tables_are_those_in_pillows_file(quality):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    theirs = Image.open(file).quantization  # type: ignore[attr-defined]
    for index, table in enumerate((LUMINANCE, CHROMINANCE)):
        ours = scaled_table(table, quality).flatten().int().tolist()
        assert sorted(ours) == sorted(theirs[index])


def test_the_best_quality_leaves_a_picture_within_three_levels():
    x = picture()
    assert levels_apart(JPEGCodec(100)(x), x).max() < 3.0


def test_a_flat_picture_stays_flat_with_sides_of_any_length():
    y = JPEGCodec(50, subsample_chroma=True)(torch.full((1, 3, 11, 21), 0.3))
    assert y.shape == (1, 3, 11, 21)
    torch.testing.assert_close(y, y[..., :1, :1].expand_as(y), rtol=0, atol=1e-5)


def test_the_gradient_is_the_residuals_direction_straight_through_the_compression():
    task, x = JPEG(10), picture()
    measurement = task.measure(Examples(x.expand(2, -1, -1, -1)), STREAMS)
    estimate = (0.9 * x).expand(2, -1, -1, -1).clone().requires_grad_()
    loss = task.loss(estimate, measurement)
    (gradient,) = torch.autograd.grad(loss.sum(), estimate)
    residual = measurement.y - JPEGCodec(10)(estimate.detach())
    torch.testing.assert_close(loss.detach(), residual.flatten(1).norm(dim=1))
    torch.testing.assert_close(gradient, -residual / loss.detach().reshape(-1, 1, 1, 1))


def test_an_estimate_that_compresses_alike_has_no_loss_and_no_gradient():
    task, x = JPEG(10), picture()
    measurement = task.measure(Examples(x), NoiseStreams([SampleKey(0, "a")]))
    estimate = (x + 1e-4 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()
    loss = task.loss(estimate, measurement)
    assert loss.item() == 0.0
    assert (torch.autograd.grad(loss.sum(), estimate)[0] == 0).all()


def test_every_image_of_a_batch_is_compressed_by_itself():
    x = torch.cat([picture(), -picture()])
    codec = JPEGCodec(10, subsample_chroma=True)
    assert torch.allclose(codec(x)[1:], codec(x[1:]), atol=1e-6)


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_a_quality_outside_one_to_a_hundred_is_refused(quality):
    with pytest.raises(UserError, match=f"quality must be 1 to 100, got {quality}"):
        JPEG(quality)


def test_images_that_are_not_of_three_channels_are_refused():
    with pytest.raises(UserError, match="JPEG: needs images of 3 channels, got 1"):
        JPEG().check((1, 64, 64))


@pytest.mark.parametrize("guidance", [DDNM(), PiGDM(), DSG(PiGDM())])
def test_methods_of_linear_algebra_refuse_in_one_line_that_lists_what_fits(guidance):
    with pytest.raises(UserError, match=r"and JPEG's is none; use .*Colourisation.*MotionDeblurring") as refusal:
        Sampler(Toy(16), JPEG(), guidance, DDIM(eta=1.0))
    assert "\n" not in str(refusal.value)


def samples(guidance: Guidance, reference: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples of a toy network under JPEG, and their losses."""
    task = JPEG()
    sampler = Sampler(Toy(16), task, guidance, DDIM(eta=1.0), steps=10)
    process = sampler.begin(Examples(reference), NoiseStreams([SampleKey(0, str(i)) for i in range(len(reference))]))
    *_, last = sampler.run(process)
    return last.x_prev, task.loss(last.x_prev, process.measurement)


@pytest.mark.parametrize("guidance", METHODS, ids=lambda g: type(g).__name__)
def test_every_method_of_a_loss_lowers_it_and_gives_the_same_bits_again(guidance):
    reference = torch.nn.functional.avg_pool2d(picture(32, 32), 2).expand(4, -1, -1, -1)
    x, loss = samples(guidance, reference)
    assert loss.mean() < samples(Unguided(), reference)[1].mean()
    assert torch.equal(x, samples(guidance, reference)[0])


@pytest.mark.parametrize("guidance", METHODS, ids=lambda g: type(g).__name__)
def test_constant_images_and_a_broken_neighbour_leave_finite_samples(guidance):
    reference = torch.zeros(2, 3, 16, 16)
    assert samples(guidance, reference)[0].isfinite().all()
    reference[1] = torch.nan
    assert samples(guidance, reference)[0][0].isfinite().all()
