"""Which files of a folder are its images: the same for the data and for the reference."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dsg.data.folder import ImageFolder
from dsg.data.image_file import to_uint8
from dsg.data.images_below import images_below
from dsg.errors import UserError
from dsg.metrics.features import read_rgb
from dsg.metrics.reference import pictures_below


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16)).save(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """a.png, n/b.png"""
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "images" / "n" / "b.png")
    return tmp_path / "images"


def names(root: Path) -> list[str]:
    """Data and reference find the same."""
    found = images_below(root)
    assert pictures_below(root) == list(found.values())
    return list(found)


@pytest.mark.parametrize(
    "hidden",
    [".x.png", "._a.png", ".ipynb_checkpoints/a.png", "n/.thumbnails/b.png", "__MACOSX/n/a.png", "@eaDir/a.png/s.jpg"],
)
def test_hidden_files_and_folders_and_what_systems_leave_behind_are_left_out(root, hidden):
    picture(root / hidden)
    (root / "Thumbs.db").write_bytes(b"pictures of its own")
    assert names(root) == ["a.png", "n/b.png"]


def test_a_root_that_is_hidden_itself_is_read(tmp_path):
    picture(tmp_path / ".cache" / "a.png")
    assert names(tmp_path / ".cache") == ["a.png"]


def test_links_to_files_and_folders_are_followed(root, tmp_path):
    elsewhere = picture(tmp_path / "elsewhere" / "c.png")
    (root / "linked").symlink_to(elsewhere.parent)
    (root / "z.png").symlink_to(elsewhere)
    assert names(root) == ["a.png", "linked/c.png", "n/b.png", "z.png"]
    (tmp_path / "all").symlink_to(root)
    assert names(tmp_path / "all") == names(root)


@pytest.mark.parametrize(("link", "target"), [("n/up", ".."), ("n/self", "self"), ("n/here", "."), ("loop", "n/loop")])
def test_links_that_lead_in_a_circle_end(root, link, target):
    (root / link).symlink_to(target)
    (root / "n" / "loop").symlink_to("../loop")
    assert names(root) == ["a.png", "n/b.png"]


def test_two_folders_that_hold_each_other_by_links_are_read_until_they_repeat(root):
    picture(root / "m" / "c.png")
    (root / "m" / "to_n").symlink_to("../n")
    (root / "n" / "to_m").symlink_to("../m")
    assert names(root) == ["a.png", "m/c.png", "m/to_n/b.png", "n/b.png", "n/to_m/c.png"]


def test_an_image_that_is_a_link_to_nothing_is_there_and_fails_by_name(root):
    (root / "c.png").symlink_to("gone.png")
    assert names(root) == ["a.png", "c.png", "n/b.png"]


def test_the_order_is_that_of_the_parts_of_the_paths(tmp_path):
    for name in ("b.png", "a-x.png", "a/z.png", "A.png", "a/b/c.png"):
        picture(tmp_path / name)
    assert names(tmp_path) == ["A.png", "a/b/c.png", "a/z.png", "a-x.png", "b.png"]


def run_folder(path: Path, *parts: str) -> None:
    """What a run may leave, with a picture among its samples."""
    picture(path / "samples" / "a.png")
    contents = {"config.yaml": "model:\n  steps: 2\ndata:\n  class_path: x\n", "per_image.csv": "id,sample\n"}
    for part in parts:
        (path / part).parent.mkdir(exist_ok=True)
        (path / part).write_text(contents.get(part, "{}\n"))


@pytest.mark.parametrize(
    "parts",
    [("config.yaml",), ("config.yaml", "rows/rank0.jsonl"), ("config.yaml", "per_image.csv"), ("rows/rank3.jsonl",)],
    ids=" ".join,
)
@pytest.mark.parametrize("place", ["run", "n/deep/run"])
def test_a_run_folder_among_the_images_is_no_data_whatever_ended_the_run(root, parts, place):
    run_folder(root / place, *parts)
    assert names(root) == ["a.png", "n/b.png"]


def test_a_link_to_a_run_folder_is_no_data_either(root, tmp_path):
    run_folder(tmp_path / "run", "config.yaml")
    (root / "link").symlink_to(tmp_path / "run")
    assert names(root) == ["a.png", "n/b.png"]


def test_folders_that_look_a_little_like_a_run_are_data(root):
    picture(root / "n" / "samples" / "c.png")
    (root / "n" / "config.yaml").write_text("author: somebody\n")
    picture(root / "m" / "rows" / "d.png")
    (root / "m" / "config.yaml").touch()
    picture(root / "m" / "logs" / "e.png")
    (root / "m" / "configs").mkdir()
    assert names(root) == ["a.png", "m/logs/e.png", "m/rows/d.png", "n/b.png", "n/samples/c.png"]


def test_samples_are_read_where_somebody_asks_for_them_and_not_with_the_rest_of_a_run(tmp_path):
    run_folder(tmp_path / "run", "config.yaml", "per_image.csv")
    assert names(tmp_path / "run" / "samples") == ["a.png"]
    for read, option in ((images_below, "data.root"), (pictures_below, "distribution.reference")):
        with pytest.raises(UserError, match=rf"^{option}: .*run is the folder of a run or .*; .*`samples` of a run"):
            read(tmp_path / "run")
    with pytest.raises(UserError, match="those of runs are left out"):
        names(tmp_path)


@pytest.mark.parametrize("out", ["out", "n/out"])
def test_a_comparison_among_the_images_is_no_data_with_its_plots(root, out):
    (root / out / "configs" / "runs").mkdir(parents=True)
    (root / out / "logs").mkdir()
    picture(root / out / "quality_against_seconds.png")
    run_folder(root / out / "runs" / "task" / "dsg" / "default", "config.yaml")
    assert names(root) == ["a.png", "n/b.png"]


def test_the_same_command_sees_the_same_images_again(evaluate, image_folder):
    for _ in range(2):
        assert evaluate("--run_dir", str(image_folder / "run")) == 0
    assert len((image_folder / "run" / "per_image.csv").read_text().splitlines()) == 1 + 6


def test_a_folder_that_may_not_be_read_is_refused_and_not_passed_over(root, monkeypatch):
    scan = os.scandir

    def forbidding(path):
        if Path(path).name == "n":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    with pytest.raises(UserError, match=r"data\.root: cannot read .*/n: Permission denied; make it readable"):
        images_below(root)


def exif(path: Path) -> None:
    orientation = Image.Exif()
    orientation[0x0112] = 6
    Image.fromarray(noise((8, 16, 3))).save(path, exif=orientation)


def noise(shape: tuple[int, ...], dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


@pytest.mark.parametrize(
    "save",
    [
        exif,
        lambda path: Image.fromarray(noise((16, 8), np.uint16)).save(path),
        lambda path: Image.fromarray(noise((16, 8, 4))).save(path),
        lambda path: Image.fromarray(noise((16, 8))).convert("P").save(path, transparency=3),
    ],
    ids=["turned", "16 bits", "alpha", "palette"],
)
def test_data_and_reference_read_one_file_alike(tmp_path, save: Callable[[Path], None]):
    save(tmp_path / "a.png")
    image = ImageFolder(str(tmp_path), image_size=(16, 8)).load("a").image
    assert image is not None
    assert np.array_equal(read_rgb(tmp_path / "a.png"), to_uint8(image).permute(1, 2, 0).numpy())
