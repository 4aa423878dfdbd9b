"""A folder of images as evaluation data."""

from __future__ import annotations

import os
import sys

import pytest
import torch
from PIL import Image

from dsg.data.batches import batches as batches_of
from dsg.data.folder import ImageFolder
from dsg.data.held_out import HeldOutPortraits
from dsg.errors import UserError
from dsg.run_folder.folder import RunFolder


def folder(root, **options) -> ImageFolder:
    return ImageFolder(str(root), image_size=16, num_workers=0, **options)


def batches(data, **options) -> list:
    return list(batches_of(data, **options))


def test_images_are_found_at_any_depth_and_an_id_is_the_path_without_ending(image_folder):
    Image.new("RGB", (16, 16)).save(image_folder / "more" / "g.dotted.JPG", "JPEG")
    (image_folder / "notes.txt").write_text("no image")
    (image_folder / "._a.png").write_text("what macOS leaves beside a file")
    assert folder(image_folder).image_ids() == ["a", "b", "c", "d", "more/e", "more/f", "more/g.dotted"]


def test_the_first_images_are_taken_and_each_is_sampled_as_often_as_asked(image_folder):
    data = folder(image_folder, limit=2, samples_per_image=3)
    assert data.keys() == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("b", 2)]


def test_finished_samples_are_left_out(image_folder):
    data = folder(image_folder, samples_per_image=2, batch_size=3)
    done = frozenset({("a", 0), ("a", 1), ("b", 1)})
    assert [key for batch in batches(data, done=done) for key in batch.keys] == sorted(set(data.keys()) - done)


def test_an_unreadable_image_is_a_failure_of_its_own_and_its_neighbours_are_read(image_folder):
    (image_folder / "b.png").write_bytes(b"rubbish")
    Image.new("RGB", (8, 8)).save(image_folder / "c.png")
    first, second, *_ = batches(folder(image_folder, batch_size=2))
    assert first.keys == [("a", 0)]
    assert first.examples.images.shape == (1, 3, 16, 16)
    assert [(f.image_id, f.sample) for f in first.failures] == [("b", 0)]
    assert "8x8, smaller than the model's 16x16" in second.failures[0].reason


def test_a_batch_without_one_readable_image_is_a_batch_of_failures(image_folder):
    for name in "ab":
        (image_folder / f"{name}.png").write_bytes(b"")
    first = batches(folder(image_folder, batch_size=2))[0]
    assert first.keys == []
    assert len(first.failures) == 2


def test_class_folders_are_numbered_in_sorted_order(tmp_path):
    for name in ("n02/x", "n01/y", "n01/deep/z", "n03/w"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(tmp_path / f"{name}.png")
    data = folder(tmp_path, labels="folders")
    assert {i: data.load(i).columns["label"] for i in data.image_ids()} == {
        "n01/deep/z": 0,
        "n01/y": 0,
        "n02/x": 1,
        "n03/w": 2,
    }
    assert data.largest_label() == 2
    assert folder(tmp_path, labels="folders", limit=2).largest_label() == 0
    assert batches(folder(tmp_path, labels="folders", batch_size=4))[0].examples["label"].tolist() == [0, 0, 1, 2]


def test_labels_come_from_a_file(image_folder, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(
        "".join(f"{name}, {i}\n" for i, name in enumerate(["a", "b", "c", "d", "more/e", "more/f"])) + "\n"
    )
    data = folder(image_folder, labels=str(table))
    assert data.load("more/e").columns["label"] == 4
    assert data.largest_label() == 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no file at"),
        ("a,0\n", "no line for 5 images, the first is b"),
        ("a;0\n", "line 1 is not `id,label`"),
        ("a,0\nb,one\n", "line 2 is not `id,label`"),
        ("a,-1\n", "line 1 is not `id,label`"),
    ],
)
def test_labels_that_do_not_fit_are_found_before_the_first_image_is_read(image_folder, tmp_path, content, words):
    table = tmp_path / "labels.csv"
    if content is not None:
        table.write_text(content)
    with pytest.raises(UserError, match=words):
        folder(image_folder, labels=str(table)).keys()


def test_class_folders_need_every_image_in_one(image_folder):
    with pytest.raises(UserError, match=r"labels: folders needs one folder a class, but .*a\.png is in none"):
        folder(image_folder, labels="folders").keys()


def test_two_files_with_one_id_are_refused_by_name(image_folder):
    Image.new("RGB", (16, 16)).save(image_folder / "a.jpg")
    with pytest.raises(UserError, match=r"a\.jpg and .*a\.png share the id a"):
        folder(image_folder).keys()


def test_an_id_that_looks_like_another_images_second_sample_is_refused(image_folder):
    Image.new("RGB", (16, 16)).save(image_folder / "a.1.png")
    assert "a.1" in folder(image_folder).image_ids()
    assert len(folder(image_folder).keys()) == 7
    with pytest.raises(UserError, match=r"the image a\.1 has the name of another image's further sample"):
        folder(image_folder, samples_per_image=2).keys()


@pytest.mark.parametrize("content", [None, "empty", "text"])
def test_a_folder_that_is_missing_or_has_no_images_is_refused(tmp_path, content):
    root = tmp_path / "images"
    if content:
        root.mkdir()
    if content == "text":
        (root / "readme.txt").write_text("nothing here")
    with pytest.raises(UserError, match=r"data\.root: no (folder at|image)"):
        folder(root).keys()


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems have no such names")
def test_a_name_that_is_not_utf8_is_refused(image_folder):
    (image_folder / "a.png").rename(image_folder / os.fsdecode(b"\xff.png"))
    with pytest.raises(UserError, match="not UTF-8"):
        folder(image_folder).keys()


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/tmp/out", "link/out"])
def test_no_id_leads_out_of_the_run_folder(tmp_path, name):
    run = tmp_path / "run"
    (run / "samples").mkdir(parents=True)
    (run / "samples" / "link").symlink_to(tmp_path)
    with pytest.raises(UserError, match="leads out of the run folder"):
        RunFolder(run).picture_path("samples", name, 0)


def test_pictures_are_named_after_their_image_and_sample(tmp_path):
    run = RunFolder(tmp_path)
    assert run.picture_path("samples", "more/e", 0) == tmp_path / "samples" / "more" / "e.png"
    assert run.picture_path("samples", "more/e", 2) == tmp_path / "samples" / "more" / "e.2.png"
    assert run.picture_path("measurements", "x.y", 0, ".safetensors").name == "x.y.safetensors"


@pytest.mark.parametrize("option", ["limit", "samples_per_image", "batch_size"])
def test_counts_below_one_are_refused(image_folder, option):
    with pytest.raises(UserError, match=rf"data\.{option}: must be at least 1, got 0"):
        folder(image_folder, **{option: 0})


def test_held_out_portraits_need_no_files_and_have_labels_on_demand():
    data = HeldOutPortraits(first=2, limit=3, batch_size=3, labels=True)
    (batch,) = batches(data)
    assert [image_id for image_id, _ in batch.keys] == ["01000002", "01000003", "01000004"]
    assert batch.examples.images.shape == (3, *data.image_shape)
    assert batch.examples.images.dtype == torch.float32
    assert batch.examples["label"].max() <= data.largest_label()
    assert HeldOutPortraits().largest_label() is None
