"""One picture on the disk and in memory."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dsg.data.image_file import encode_image, from_uint8, read_image, to_uint8
from dsg.errors import UnreadableImage


def pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def as_uint8(path: Path, size: int) -> np.ndarray:
    return to_uint8(read_image(path, size)).permute(1, 2, 0).numpy()


def guided_diffusion_crop(image: Image.Image, size: int) -> np.ndarray:
    """center_crop_arr of guided-diffusion's image_datasets.py, as published."""
    while min(*image.size) >= 2 * size:
        image = image.resize(tuple(x // 2 for x in image.size), resample=Image.BOX)
    scale = size / min(*image.size)
    image = image.resize(tuple(round(x * scale) for x in image.size), resample=Image.BICUBIC)
    arr = np.array(image)
    y, x = (arr.shape[0] - size) // 2, (arr.shape[1] - size) // 2
    return arr[y : y + size, x : x + size]


@pytest.mark.parametrize(("ending", "tolerance"), [("png", 0), ("jpg", 4), ("webp", 4)])
def test_a_picture_of_the_models_size_is_read_as_it_is(tmp_path, ending, tolerance):
    original = pixels(32, 32)
    Image.fromarray(original).save(tmp_path / f"x.{ending}", quality=95)
    read = as_uint8(tmp_path / f"x.{ending}", 32)
    assert np.abs(read.astype(int) - original).mean() <= tolerance


def test_all_256_levels_survive_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    image = from_uint8(levels)
    assert image.min() == -1
    assert image.max() == 1
    assert np.array_equal(np.asarray(encode_image(image)), levels)


def test_values_outside_the_range_are_clipped_and_the_picture_is_not_rescaled():
    image = torch.tensor([-3.0, -1.0, 0.0, 1.0, 7.0]).reshape(1, 1, 5).expand(3, 1, 5)
    assert to_uint8(image)[0, 0].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("shape", [(32, 32), (40, 50), (70, 64), (100, 131), (257, 190)])
def test_cropping_and_resizing_are_guided_diffusions_to_the_last_level(tmp_path, shape):
    original = Image.fromarray(pixels(*shape))
    original.save(tmp_path / "x.png")
    assert np.array_equal(as_uint8(tmp_path / "x.png", 32), guided_diffusion_crop(original, 32))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(tmp_path, orientation):
    upright = Image.fromarray(pixels(32, 32))
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(turn[orientation]) if orientation in turn else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(as_uint8(tmp_path / "x.png", 32), np.asarray(upright))


def test_greyscale_is_repeated_over_the_channels(tmp_path):
    grey = pixels(16, 16)[..., 0]
    Image.fromarray(grey).save(tmp_path / "x.png")
    assert np.array_equal(as_uint8(tmp_path / "x.png", 16), grey[..., None].repeat(3, axis=2))


def test_sixteen_bit_greyscale_is_brought_to_eight_by_its_range_and_not_cut_off(tmp_path):
    grey = pixels(16, 16)[..., 0]
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "x.png")
    assert np.array_equal(as_uint8(tmp_path / "x.png", 16), grey[..., None].repeat(3, axis=2))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(tmp_path, mode):
    image = Image.fromarray(pixels(16, 16)).convert(mode)
    image.putalpha(Image.fromarray(np.triu(np.full((16, 16), 255, dtype=np.uint8))))
    image.save(tmp_path / "x.png")
    read = as_uint8(tmp_path / "x.png", 16)
    assert (read[np.tril_indices(16, -1)] == 255).all()
    kept = np.asarray(image.convert("RGBA"))[..., :3]
    assert np.array_equal(read[np.triu_indices(16)], kept[np.triu_indices(16)])


def test_a_palette_is_looked_up_and_its_transparent_colour_is_white(tmp_path):
    colours = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    image = Image.fromarray(np.eye(16, dtype=np.uint8), mode=None).convert("P")
    image.putpalette(colours.tobytes())
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "x.png", transparency=1)
    assert np.array_equal(as_uint8(tmp_path / "opaque.png", 16), colours[np.eye(16, dtype=int)])
    read = as_uint8(tmp_path / "x.png", 16)
    assert (read[np.eye(16, dtype=bool)] == 255).all()
    assert (read[0, 1] == [255, 0, 0]).all()


def test_a_cmyk_jpeg_is_read_in_its_colours(tmp_path):
    red = Image.new("RGB", (16, 16), (220, 30, 30)).convert("CMYK")
    red.save(tmp_path / "x.jpg", quality=95)
    assert np.abs(as_uint8(tmp_path / "x.jpg", 16).mean(axis=(0, 1)) - [220, 30, 30]).max() < 6


def test_a_picture_that_is_too_small_fails_and_says_both_sizes(tmp_path):
    Image.fromarray(pixels(15, 40)).save(tmp_path / "x.png")
    with pytest.raises(UnreadableImage, match=r"x\.png is 40x15, smaller than the model's 16x16"):
        read_image(tmp_path / "x.png", 16)


def encoded(ending: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, ending)
    return buffer.getvalue()


@pytest.mark.parametrize("ending", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_a_picture_that_was_cut_off_fails_instead_of_being_filled_with_grey(tmp_path, ending, share):
    whole = encoded(ending)
    (tmp_path / f"x.{ending}").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableImage, match="cannot read"):
        read_image(tmp_path / f"x.{ending}", 16)


@pytest.mark.parametrize("content", [b"", b"no picture at all", bytes(1000)], ids=["empty", "text", "zeros"])
def test_a_file_that_is_no_picture_fails(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"x\.png"):
        read_image(tmp_path / "x.png", 16)


def test_a_damaged_picture_fails(tmp_path):
    content = bytearray(encoded("png"))
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "x.png").write_bytes(bytes(content))
    with pytest.raises(UnreadableImage, match="cannot read"):
        read_image(tmp_path / "x.png", 16)


def test_a_file_that_is_gone_fails_and_is_no_mistake_of_the_code(tmp_path):
    with pytest.raises(UnreadableImage, match="cannot read"):
        read_image(tmp_path / "gone.png", 16)


def test_16_bits_over_a_transparent_level_are_white_there(tmp_path):
    grey = pixels(16, 16)[..., 0].astype(np.uint16) * 257
    Image.fromarray(grey).save(tmp_path / "x.png", transparency=int(grey[3, 5]))
    transparent = grey == grey[3, 5]
    read = as_uint8(tmp_path / "x.png", 16)[..., 0]
    assert (read[transparent] == 255).all()
    assert np.array_equal(read[~transparent], (grey[~transparent] // 257).astype(np.uint8))


@pytest.mark.parametrize("shape", [(24, 40), (50, 80), (100, 97), (49, 300), (300, 41)])
def test_other_shapes_than_squares_are_the_centre_of_what_covers_them(tmp_path, shape):
    height, width = shape
    rows, columns = np.mgrid[0:height, 0:width]
    ramp = np.stack([rows * 255 // height, columns * 255 // width, 0 * rows], axis=-1).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / "x.png")
    image = to_uint8(read_image(tmp_path / "x.png", (24, 40))).double()
    assert image.shape == (3, 24, 40)
    scale = max(24 / height, 40 / width)
    for axis, side, whole in ((0, 24, height), (1, 40, width)):
        values = image[axis].mean(dim=1 - axis)
        assert abs(float(values.mean()) - 127) < 8  # the middle of the ramp, to half a row
        assert float(values[-2] - values[1]) == pytest.approx(255 * (side - 3) / (whole * scale), abs=8)


def test_a_square_is_cropped_as_its_side_says(tmp_path):
    Image.fromarray(pixels(70, 90)).save(tmp_path / "x.png")
    assert torch.equal(read_image(tmp_path / "x.png", 32), read_image(tmp_path / "x.png", (32, 32)))


@pytest.mark.parametrize("shape", [(23, 60), (60, 39)])
def test_a_picture_that_is_too_small_on_one_side_fails(tmp_path, shape):
    Image.fromarray(pixels(*shape)).save(tmp_path / "x.png")
    with pytest.raises(UnreadableImage, match=f"is {shape[1]}x{shape[0]}, smaller than the model's 40x24"):
        read_image(tmp_path / "x.png", (24, 40))


def test_one_channel_is_the_luma_of_the_colours_and_grey_stays_as_it_is(tmp_path):
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [90, 90, 90]]], dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "x.png")
    grey = to_uint8(read_image(tmp_path / "x.png", 2, channels=1))
    assert grey.shape == (1, 2, 2)
    assert grey.flatten().tolist() == [76, 150, 29, 90]  # 0.299, 0.587 and 0.114 of 255
