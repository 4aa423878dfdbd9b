import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks import BoxInpainting, GaussianNoise, RandomInpainting


def streams(count: int) -> NoiseStreams:
    return NoiseStreams([SampleKey(0, f"image {i}") for i in range(count)])


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_the_share_of_dropped_pixels_is_within_its_bounds_up_to_a_pixel(height, width, a, b):
    low, high = min(a, b), max(a, b)
    mask = RandomInpainting(low, high).operator((3, height, width), streams(2)).mask
    dropped = (mask == 0).sum(dim=(1, 2, 3))
    assert mask.shape == (2, 1, height, width)
    assert set(mask.unique().tolist()) <= {0, 1}
    assert (dropped >= low * height * width - 0.5).all()
    assert (dropped <= high * height * width + 0.5).all()


def test_a_fixed_share_is_dropped_exactly():
    mask = RandomInpainting(0.25, 0.25).operator((3, 32, 32), streams(4)).mask
    assert ((mask == 0).sum(dim=(1, 2, 3)) == 256).all()


def test_the_share_is_spread_over_its_whole_range():
    shares = 1 - RandomInpainting().operator((3, 32, 32), streams(300)).mask.mean(dim=(1, 2, 3))
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.min() < 0.32
    assert shares.max() > 0.68


def test_every_pixel_is_dropped_equally_often():
    masks = RandomInpainting(0.5, 0.5).operator((3, 8, 8), streams(1000)).mask
    assert (masks.mean(dim=0) - 0.5).abs().max() < 4.5 * 0.5 / 1000**0.5


def test_dropped_pixels_are_measured_only_if_noise_on_dropped():
    x = torch.rand(2, 3, 32, 32)
    plain, published = (
        RandomInpainting(noise_on_dropped=flag).measure(Examples(x), streams(2)) for flag in (False, True)
    )
    mask = plain.operator.mask
    assert torch.equal(mask, published.operator.mask)
    assert (plain.y[(mask == 0).expand_as(x)] == 0).all()
    assert torch.equal(plain.y, mask * published.y)
    assert published.y[(mask == 0).expand_as(x)].std().item() == pytest.approx(0.05, rel=0.1)


def test_dropped_pixels_are_black_in_the_picture():
    task = RandomInpainting(noise=GaussianNoise(0.0))
    measurement = task.measure(Examples(torch.full((1, 3, 16, 16), 0.5)), streams(1))
    expected = torch.where(measurement.operator.mask > 0, 0.5, -1.0).expand(1, 3, 16, 16)
    assert torch.equal(task.picture(measurement), expected)


@given(st.integers(1, 12), st.integers(0, 6), st.integers(0, 4), st.booleans())
def test_the_box_is_a_square_within_the_margin(size, more, margin, centred):
    task = BoxInpainting(size, size + more, margin, centred)
    task.check((3, 28, 36))
    for mask in task.operator((3, 28, 36), streams(3)).mask:
        rows, columns = (mask[0] == 0).nonzero(as_tuple=True)
        (top, bottom), (left, right) = rows.aminmax(), columns.aminmax()
        side = bottom - top + 1
        assert side == right - left + 1
        assert side**2 == len(rows)
        assert size <= side <= size + more
        assert min(top, left) >= margin
        assert bottom < 28 - margin
        assert right < 36 - margin
        if centred:
            assert abs(top - (27 - bottom)) <= 1
            assert abs(left - (35 - right)) <= 1


@pytest.mark.parametrize("bounds", [(0.0, 0.5), (0.5, 1.0), (0.7, 0.3), (float("nan"), 0.5)])
def test_impossible_shares_are_refused(bounds):
    with pytest.raises(UserError, match="0 < drop_min <= drop_max < 1"):
        RandomInpainting(*bounds)


@pytest.mark.parametrize("size", [(0, None), (8, 4)])
def test_impossible_boxes_are_refused(size):
    with pytest.raises(UserError, match="1 <= size <= size_max"):
        BoxInpainting(*size)
    with pytest.raises(UserError, match="margin must be at least 0"):
        BoxInpainting(margin=-1)


def test_a_box_that_does_not_fit_is_refused_with_what_would():
    with pytest.raises(UserError, match=r"128 pixels with a margin of 16 does not fit into 64x64: .* <= 64"):
        BoxInpainting().check((3, 64, 64))


def test_states_that_are_no_images_are_refused():
    with pytest.raises(UserError, match=r"RandomInpainting: needs images of shape \(C,H,W\), got \(2,\)"):
        RandomInpainting().check((2,))
