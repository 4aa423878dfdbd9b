"""What numbers, masks and kernels in files mean."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file
from scipy.ndimage import convolve

from dsg.data.measured.kernels import centred, odd_side, read_kernel
from dsg.data.measured.masks import read_mask
from dsg.data.measured.stored import read_stored, stored_names, stored_shape
from dsg.data.measured.units import Span, signed
from dsg.errors import UnreadableImage, UserError

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 51  # 0, 51, ..., 255
REAL = np.linspace(-1, 1, 6).reshape(1, 2, 3)


def saved(folder, name, content):
    path = folder / name
    if name.endswith(".npy"):
        np.save(path, content)
    elif name.endswith(".safetensors"):
        save_file(content, path)
    else:
        Image.fromarray(content).save(path)
    return path


WITH_16_BITS = GREY.astype(np.uint16) * 257
SAME = {
    "grey.png": GREY,
    "grey.tif": GREY,
    "colour.png": np.stack([GREY] * 3, -1),
    "opaque.png": np.concatenate([np.stack([GREY] * 3, -1), np.full((2, 3, 1), 255, np.uint8)], -1),
    "deep.png": WITH_16_BITS,
    "deep.tif": WITH_16_BITS,
    "real.npy": REAL,
    "single.npy": REAL.astype(np.float32),
    "big_endian.npy": REAL.astype(">f8"),
    "bytes.npy": GREY[None],
    "words.npy": WITH_16_BITS[None],
    "named.safetensors": {"y": REAL, "mask": REAL},
    "alone.safetensors": {"anything": REAL},
}


@pytest.mark.parametrize("name", SAME)
def test_black_is_minus_one_and_white_is_one_in_every_kind_of_file(tmp_path, name):
    path = saved(tmp_path, name, SAME[name])
    values = signed(read_stored(path), None)
    assert values.dtype == torch.float32
    assert tuple(values.shape) == stored_shape(path)
    for channel in values:
        np.testing.assert_allclose(channel, REAL[0], atol=1e-6)


def test_sixteen_bits_of_grey_are_kept(tmp_path):
    values = signed(read_stored(saved(tmp_path, "a.png", np.array([[32768, 32769]], dtype=np.uint16))), None)
    assert (values[0, 0, 1] - values[0, 0, 0]).item() == pytest.approx(2 / 65535, rel=1e-3)


@pytest.mark.parametrize(("unit", "scale"), [("signed", lambda x: x), ("unit", lambda x: (x + 1) / 2),
                                             ("byte", lambda x: (x + 1) * 127.5)])  # fmt: skip
def test_real_numbers_are_in_the_unit_that_is_said(tmp_path, unit, scale):
    np.testing.assert_allclose(signed(read_stored(saved(tmp_path, "a.npy", scale(REAL))), unit), REAL, atol=1e-6)


def test_16_bits_with_a_transparent_level_keep_their_16_bits_unless_a_pixel_has_it(tmp_path):
    grey = np.array([[0, 300], [40_000, 65_535]], dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=1)
    stored = read_stored(tmp_path / "a.png")
    assert (stored.white, stored.values[0].tolist()) == (65_535, grey.tolist())
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=300)
    with pytest.raises(UnreadableImage, match="transparent pixels"):
        read_stored(tmp_path / "a.png")


def test_a_picture_is_turned_as_its_orientation_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY).save(tmp_path / "a.png", exif=exif)
    assert stored_shape(tmp_path / "a.png") == (3, 3, 2)
    values = read_stored(tmp_path / "a.png").values
    assert torch.equal(values[0], torch.from_numpy(np.rot90(GREY, -1).astype(float)))


def rgba(alpha):
    return np.concatenate([np.stack([GREY] * 3, -1), np.full((2, 3, 1), alpha, np.uint8)], -1)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", rgba(200), "transparent pixels"),
        ("a.tif", REAL[0].astype(np.float32), "real numbers"),
        ("a.npy", np.full((1, 2, 3), np.nan), "not finite"),
        ("a.npy", REAL + 1j, "complex"),
        ("a.npy", np.array([{}], dtype=object), "cannot read"),
        ("a.safetensors", {"one": REAL, "two": REAL}, "holds one, two and no y"),
    ],
)
def test_what_has_no_one_meaning_is_refused(tmp_path, name, content, words):
    with pytest.raises(UnreadableImage, match=words):
        read_stored(saved(tmp_path, name, content))


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.safetensors"])
def test_a_damaged_file_is_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"no such thing")
    for read in (read_stored, stored_shape):
        with pytest.raises(UnreadableImage, match=f"cannot read .*{name}") as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_what_else_a_file_of_tensors_holds_is_known_by_name(tmp_path):
    assert stored_names(saved(tmp_path, "a.safetensors", SAME["named.safetensors"])) == {"y", "mask"}
    assert stored_names(saved(tmp_path, "a.png", GREY)) == frozenset()


HOLES = np.array([[1, 0, 1], [1, 1, 0]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.png", HOLES * 255), ("m.png", HOLES), ("m.png", HOLES.astype(bool)),
        ("m.png", np.stack([HOLES * 255] * 3, -1)),
        ("m.npy", HOLES.astype(bool)), ("m.npy", HOLES.astype(np.float32)[None]), ("m.npy", HOLES.astype(np.int64)),
        ("m.safetensors", {"mask": HOLES.astype(np.float32)[None]}),
    ],
)  # fmt: skip
def test_a_mask_is_one_where_its_file_is_white_or_one(tmp_path, name, content):
    mask = read_mask(saved(tmp_path, name, content))
    assert mask.shape == (1, 2, 3)
    assert np.array_equal(mask[0], HOLES)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.png", np.array([[0, 255, 254, 3]], dtype=np.uint8), "2 values that are neither 0 nor 255 .*the first 3"),
        ("m.npy", np.array([[0, 1, 0.5]]), "1 values that are neither 0 nor 1 .*the first 0.5"),
        ("m.npy", np.array([[0, -1.0]]), "neither 0 nor 1"),
        ("m.png", np.array([[[0, 0, 255]]], dtype=np.uint8), "not one plane"),
        ("m.npy", np.ones(4), "not one plane"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, name, content, words):
    with pytest.raises(UserError, match=words):
        read_mask(saved(tmp_path, name, content))


def test_a_kernel_in_a_picture_is_divided_by_its_sum_and_one_of_numbers_is_taken_as_it_is(tmp_path):
    kernel = read_kernel(saved(tmp_path, "k.png", GREY))
    np.testing.assert_allclose(kernel, GREY / GREY.sum())
    exact = np.array([[0.25, 0.5, 0.25]])
    assert np.array_equal(read_kernel(saved(tmp_path, "k.npy", exact)), exact)
    with pytest.raises(UserError, match=r"sums to 2; .*divide it by its sum"):
        read_kernel(saved(tmp_path, "k.npy", 2 * exact))
    with pytest.raises(UserError, match="is black: a blur sums to 1"):
        read_kernel(saved(tmp_path, "black.png", 0 * GREY))
    with pytest.raises(UserError, match="not one plane"):
        read_kernel(saved(tmp_path, "cube.npy", np.arange(8.0).reshape(2, 2, 2)))


@pytest.mark.parametrize("sides", [(1, 1), (4, 4), (3, 6), (7, 2)], ids=str)
@pytest.mark.parametrize("more", [0, 4])
def test_zeros_around_a_kernel_leave_its_centre_in_the_middle(sides, more):
    kernel, image = np.random.default_rng(0).random(sides), np.random.default_rng(1).random((9, 9))
    side = odd_side(sides) + more
    square = centred(torch.from_numpy(kernel), side)
    assert square.shape == (1, side, side)
    np.testing.assert_allclose(convolve(image, square[0].numpy()), convolve(image, kernel))


def test_numbers_that_cannot_be_images_in_minus_one_to_one_are_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"up to 255, and up to 1 are expected; say in data.array_unit .*byte, \[0, 255\]"
    ):
        Span("data.measurements", -1, 1).add(tmp_path, torch.tensor([0.0, 255.0]))
    positive = Span("data.measurements", -1, 1)
    positive.add(tmp_path, torch.tensor([-0.1, 0.9]))
    with pytest.raises(UserError, match=r"no number is below -0.1, which looks like \[0, 1\]"):
        positive.check()
    positive.add(tmp_path, torch.tensor([-0.9]))  # another file decides
    positive.check()
    magnitudes = Span("data.measurements", 0, 20)  # which are never negative
    magnitudes.add(tmp_path, torch.tensor([0.0, 30.0]))
    magnitudes.check()
    Span("data.measurements", -1, 1).check()  # pictures alone: no real numbers
