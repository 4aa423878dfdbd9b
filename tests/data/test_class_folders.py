"""Folders as class labels: right, or refused before anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dsg.data.class_folders import numbered
from dsg.data.folder import ImageFolder
from dsg.errors import UserError
from tests.data.test_images_below import picture, run_folder


def labels(root: Path) -> dict[str, object]:
    data = ImageFolder(str(root), image_size=16, labels="folders")
    return {image_id: data.load(image_id).columns["label"] for image_id in data.image_ids()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three class folders with an image each."""
    for name in ("n01", "n02", "n03"):
        picture(tmp_path / "images" / name / "x.png")
    return tmp_path / "images"


THREE = {"n01/x": 0, "n02/x": 1, "n03/x": 2}


def test_images_are_divided_by_the_names_of_their_folders_and_their_classes_by_a_file(root, tmp_path):
    names = {"n01/x": "n01", "n02/x": "n02", "n03/x": "n03"}
    assert ImageFolder(str(root), image_size=16).cell_columns() == {"folder": names}
    assert ImageFolder(str(root), image_size=16, labels="folders").cell_columns() == {"folder": names, "label": names}
    (tmp_path / "labels.csv").write_text("".join(f"{image_id},{9 - k}\n" for image_id, k in THREE.items()))
    columns = ImageFolder(str(root), image_size=16, labels=str(tmp_path / "labels.csv"), limit=2).cell_columns()
    assert columns["label"] == {"n01/x": 9, "n02/x": 8}


def test_hidden_folders_runs_and_comparisons_are_no_classes(root):
    picture(root / ".ipynb_checkpoints" / "x.png")
    (root / ".git").mkdir()
    picture(root / "__MACOSX" / "n01" / "x.png")
    run_folder(root / "a_run", "config.yaml")
    (root / "a_comparison" / "configs" / "runs").mkdir(parents=True)
    (root / "a_comparison" / "logs").mkdir()
    (root / "all").symlink_to(".")
    assert labels(root) == THREE


def test_a_class_folder_that_is_a_link_has_its_number(root, tmp_path):
    (root / "n01").rename(tmp_path / "elsewhere")
    (root / "n01").symlink_to(tmp_path / "elsewhere")
    assert labels(root) == THREE


@pytest.mark.parametrize("what", ["is a link to nothing", "has no image"])
def test_a_class_folder_that_is_empty_or_gone_is_refused_and_renumbers_no_other(root, what):
    if what == "has no image":
        (root / "n015" / "notes").mkdir(parents=True)
    else:
        (root / "n015").symlink_to("gone")
    with pytest.raises(UserError, match=rf"data\.labels: the class folder .*n015 {what}, and without it"):
        labels(root)


def test_a_folder_of_second_images_alone_is_no_class(root):
    Image.new("RGB", (16, 16)).save(picture(root / "a_styles" / "s.png"))
    lines = "".join(f"{name}.png,a_styles/s.png\n" for name in THREE)
    (root / "metadata.csv").write_text(f"file_name,style_file_name\n{lines}")
    assert labels(root) == THREE


@pytest.mark.parametrize("form", ["{}", "{:03}"])
def test_folders_that_are_numbers_are_their_own_classes(form):
    names = sorted(form.format(i) for i in range(12))
    assert numbered(names) == {name: int(name) for name in names}


@pytest.mark.parametrize(
    ("names", "odd"),
    [
        ([str(i) for i in range(1, 11)], "1 is at place 0"),
        (["0", "1", "3"], "3 is at place 2"),
        (["7"], "7 is at place 0"),
        (["0", "00"], "00 is at place 1"),
    ],
    ids=["from 1 on", "a gap", "one alone", "twice"],
)
def test_numbers_that_are_not_all_from_0_on_are_refused(names, odd):
    with pytest.raises(UserError, match=rf"class folders are numbers and not 0 to .*{odd}, .*CSV file") as refusal:
        numbered(sorted(names))
    assert "\n" not in str(refusal.value)


def test_names_that_their_numbers_would_sort_otherwise_are_refused():
    with pytest.raises(UserError, match="class10 comes before class2 as a text"):
        numbered(sorted(f"class{i}" for i in range(12)))
    assert numbered(["class01", "class02", "class10"])["class10"] == 2


@pytest.mark.parametrize(
    "names",
    [
        ["cat", "dog"],
        ["n01440764", "n01443537"],
        ["1", "cat"],
        ["a-b", "a1"],
        ["a1", "a1-x", "a2"],
        ["²", "³"],
        ["Ant", "bee"],
    ],
)
def test_other_names_are_numbered_in_sorted_order(names):
    assert numbered(names) == {name: place for place, name in enumerate(names)}


def test_whether_labels_hang_on_the_order_is_known(root, tmp_path):
    assert ImageFolder(str(root), labels="folders").classes_by_order() == 3
    assert ImageFolder(str(root), labels="folders", limit=1).classes_by_order() == 3
    assert ImageFolder(str(root)).classes_by_order() is None
    picture(tmp_path / "numbers" / "0" / "x.png")
    assert ImageFolder(str(tmp_path / "numbers"), labels="folders").classes_by_order() is None
