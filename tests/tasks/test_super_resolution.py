import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks import GaussianNoise, SuperResolution
from tasks.super_resolution import bicubic_matrix

STREAMS = NoiseStreams([SampleKey(0, "a")])


@given(st.sampled_from([2, 4, 8]), st.integers(1, 12))
def test_the_rows_of_the_matrix_sum_to_one(factor, size):
    matrix = bicubic_matrix(factor * size, factor)
    assert matrix.shape == (size, factor * size)
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(size, dtype=torch.float64), rtol=0, atol=1e-14)


@given(st.sampled_from([2, 4, 8]), st.integers(1, 12))
def test_shrinking_a_mirrored_image_is_mirroring_the_shrunk_one(factor, size):
    matrix = bicubic_matrix(factor * size, factor)
    torch.testing.assert_close(matrix.flip(0, 1), matrix, rtol=0, atol=1e-14)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_constant_image_stays_constant(factor):
    operator = SuperResolution(factor).operator((3, 48, 80), STREAMS)
    y = operator.forward(torch.full((1, 3, 48, 80), 0.7))
    torch.testing.assert_close(y, torch.full((1, 3, 48 // factor, 80 // factor), 0.7))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_ramp_keeps_its_place_and_slope_away_from_the_border(factor):
    """Bicubic filters keep straight lines; a shift of half a pixel would show."""
    size = 16 * factor
    centres = factor * (torch.arange(16, dtype=torch.float64) + 0.5) - 0.5
    shrunk = bicubic_matrix(size, factor) @ torch.arange(size, dtype=torch.float64)
    torch.testing.assert_close(shrunk[2:-2], centres[2:-2], rtol=0, atol=1e-10)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_away_from_the_border_it_is_torchs_antialiased_bicubic(factor):
    x = torch.randn(1, 3, 64, 128)
    theirs = torch.nn.functional.interpolate(x, scale_factor=1 / factor, mode="bicubic", antialias=True)
    ours = SuperResolution(factor).operator((3, 64, 128), STREAMS).forward(x)
    torch.testing.assert_close(ours[..., 2:-2, 2:-2], theirs[..., 2:-2, 2:-2], rtol=0, atol=1e-5)


def test_the_picture_repeats_every_pixel():
    task = SuperResolution(4, GaussianNoise(0.0))
    measurement = task.measure(Examples(torch.rand(1, 3, 16, 32) * 2 - 1), STREAMS)
    picture = task.picture(measurement)
    for offset in range(4):
        torch.testing.assert_close(picture[..., offset::4, offset::4], measurement.y.clamp(-1, 1))


def test_nothing_is_rebuilt_for_the_next_batch():
    task = SuperResolution(4)
    assert task.operator((3, 64, 64), STREAMS) is task.operator((3, 64, 64), STREAMS)


@pytest.mark.parametrize("factor", [3, 1, 0, -4])
def test_other_factors_are_refused(factor):
    with pytest.raises(UserError, match="factor must be 2, 4 or 8"):
        SuperResolution(factor)


def test_a_factor_that_does_not_divide_the_image_is_refused():
    with pytest.raises(UserError, match="factor 8 does not divide images of 64x36"):
        SuperResolution(8).check((3, 64, 36))
