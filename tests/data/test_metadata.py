"""A folder's metadata in the Hugging Face image-folder convention, and what is refused of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from dsg.data.batches import batches
from dsg.data.folder import ImageFolder
from dsg.data.image_file import read_image
from dsg.errors import UserError

LINES = [
    {"file_name": "b.png", "style_file_name": "styles/x.png", "prompt": "a red door", "label": 4, "weight": 0.5},
    {"file_name": "a.png", "style_file_name": "styles/y.png", "prompt": "7", "label": 0, "weight": 2},
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two images, and two beside them."""
    (tmp_path / "styles").mkdir()
    for i, name in enumerate(["a.png", "b.png", "styles/x.png", "styles/y.png"]):
        Image.new("RGB", (16, 16), (50 * i, 0, 0)).save(tmp_path / name)
    return tmp_path


def jsonl(root: Path, lines: list) -> None:
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")


def folder(root: Path, **options) -> ImageFolder:
    return ImageFolder(str(root), image_size=16, num_workers=0, **options)


def test_every_line_is_an_example_with_its_columns_and_a_second_image(root):
    jsonl(root, LINES)
    data = folder(root, batch_size=2)
    assert data.keys() == [("a", 0), ("b", 0)]
    assert data.columns() == {"image", "style", "prompt", "weight"}
    (batch,) = batches(data)
    assert batch.examples["prompt"] == ["7", "a red door"]
    assert batch.examples["weight"].tolist() == [2.0, 0.5]
    assert torch.equal(batch.examples["style"][0], read_image(root / "styles" / "y.png", 16))


def test_a_csv_says_the_same_as_a_jsonl(root):
    table = 'file_name,style_file_name,weight,caption\nb.png,styles/x.png,.5,a\n\na.png,./styles/y.png,2,"b, c"\n'
    (root / "metadata.csv").write_text(table, encoding="utf-8-sig")  # as spreadsheets write it
    (batch,) = batches(folder(root, batch_size=2))
    assert batch.examples["weight"].tolist() == [2.0, 0.5]
    assert batch.examples["caption"] == ["b, c", "a"]
    assert batch.examples["style"].shape == (2, 3, 16, 16)


def test_blanks_after_commas_and_lines_of_blanks_change_nothing(root):
    table = "file_name, weight , label\r\na.png, 3, 1\r\n \r\n,,\r\nb.png,4 ,0\r\nstyles/x.png,5,2\r\nstyles/y.png, 6,1"
    (root / "metadata.csv").write_bytes(table.encode())
    data = folder(root, labels="metadata")
    found = {image_id: data.load(image_id).columns for image_id in data.image_ids()}
    assert found == {
        "a": {"weight": 3, "label": 1}, "b": {"weight": 4, "label": 0},
        "styles/x": {"weight": 5, "label": 2}, "styles/y": {"weight": 6, "label": 1},
    }  # fmt: skip


def test_a_jsonl_with_a_byte_order_mark_and_blank_lines_is_read(root):
    (root / "metadata.jsonl").write_bytes(
        b"\xef\xbb\xbf" + "\r\n\r\n  \r\n".join(map(json.dumps, LINES)).encode() + b"\r\n"
    )
    assert folder(root).keys() == [("a", 0), ("b", 0)]


def test_numbers_and_texts_are_known_before_an_image_is_read(root):
    jsonl(root, LINES)
    assert folder(root).known("prompt") == {"a": "7", "b": "a red door"}
    assert folder(root, limit=1).known("weight") == {"a": 2}
    assert folder(root).known("style") == folder(root).known("caption") == {}


def test_images_are_divided_by_the_numbers_and_texts_of_the_metadata_and_by_its_label(root):
    jsonl(root, LINES)
    columns = folder(root).cell_columns()
    assert columns == {"prompt": {"a": "7", "b": "a red door"}, "weight": {"a": 2, "b": 0.5}, "label": {"a": 0, "b": 4}}
    assert folder(root, limit=1, labels="metadata").cell_columns()["label"] == {"a": 0}


def test_the_labels_of_the_metadata_are_taken_where_that_is_asked_for(root):
    jsonl(root, LINES)
    assert folder(root).largest_label() is None
    data = folder(root, labels="metadata")
    assert data.largest_label() == 4
    assert folder(root, labels="metadata", limit=1).largest_label() == 0
    assert data.load("b").columns["label"] == 4
    assert "label" in data.columns()


def test_an_unreadable_second_image_is_a_failure_of_its_example(root):
    jsonl(root, LINES)
    (root / "styles" / "y.png").write_bytes(b"rubbish")
    (batch,) = batches(folder(root, batch_size=2))
    assert [key for key, _ in batch.keys] == ["b"]
    assert "y.png" in batch.failures[0].reason


def without(line: dict, name: str) -> dict:
    return {key: value for key, value in line.items() if key != name}


ONE, TWO = LINES
WRONG = {
    "no file_name": ([without(ONE, "file_name"), without(TWO, "file_name")], "line 1 has no file_name, but style"),
    "a file that is not there": ([ONE, TWO, {**TWO, "file_name": "z.png"}], r"line 3 names z\.png, and there is no"),
    "a second image that is not there": ([{**ONE, "style_file_name": "z.png"}, TWO], r"line 1 names z\.png"),
    "a file twice": ([ONE, TWO, {**ONE, "file_name": "./b.png"}], r"line 3 names b\.png, as line 1 does"),
    "an image without a line": ([ONE], r"no line for 2 images, the first is a\.png"),
    "a column that comes late": ([ONE, {**TWO, "depth": 1}], "line 2 has depth, unlike the first"),
    "a column that goes": ([ONE, without(TWO, "prompt")], "line 2 lacks prompt, unlike the first"),
    "mixed types": ([ONE, {**TWO, "prompt": 7}], "prompt mixes numbers and texts: line 1 has 'a red door', line 2 7"),
    "nothing": ([ONE, {**TWO, "prompt": None}], "line 2 has None as prompt"),
    "a list": ([ONE, {**TWO, "prompt": ["a"]}], r"line 2 has \['a'\] as prompt"),
    "truth values": ([{**ONE, "good": True}, TWO], "line 1 has True as good"),
    "a path that leads out": ([ONE, {**TWO, "file_name": "../a.png"}], r"line 2 has '\.\./a\.png' as file_name"),
    "pictures of labels": ([{**ONE, "label_file_name": "a.png"}, {**TWO, "label_file_name": "a.png"}], "rename it"),
    "a path that is a number": ([ONE, {**TWO, "style_file_name": 3}], "line 2 has 3 as style_file_name"),
    "a number too large": ([ONE, {**TWO, "weight": 2**63}], "line 2 has 9223372036854775808 as weight"),
    "a column named as the image": ([{**ONE, "image": "x"}, {**TWO, "image": "y"}], "column image would be another"),
    "two columns of one name": ([{**ONE, "style": 1}, {**TWO, "style": 2}], "style.* would be another one's style"),
    "lines that are lists": ([ONE, [1]], "line 2 is no object"),
    "no lines": ([], "has no line"),
}


@pytest.mark.parametrize(("lines", "words"), WRONG.values(), ids=WRONG)
def test_metadata_that_does_not_fit_is_found_before_the_first_image_is_read(root, lines, words):
    jsonl(root, lines)
    with pytest.raises(UserError, match=words) as refusal:
        folder(root).keys()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"file_name": "a.png"}\n{"file_name": \n', "line 2 is no JSON"),
        ('{"file_name": "a.png", "weight": NaN}\n', "line 1 is no JSON.*NaN"),
        ('{"file_name": "a.png", "weight": ' + "9" * 400 + "}\n", "line 1 has 9+ as weight; give a smaller number"),
        ("[" * 100_000, "line 1 is no JSON"),
        (b"\xff\xfe", "cannot be read as UTF-8"),
        ('{"file_name": "a.png", "weight": 1, "weight": 2}\n', "line 1 is no JSON: it says weight twice"),
    ],
)
def test_a_line_that_is_no_json_is_named(root, text, words):
    (root / "metadata.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=words):
        folder(root).keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no line"),
        ("file_name,prompt\na.png\n", "line 2 has 1 cells and the first 2"),
        ("file_name,prompt,prompt\na.png,b,c\n", "column prompt twice"),
        ("path,prompt\na.png,b\n", "has no file_name, but path, prompt"),
        ("file_name,weight\na.png,1\nb.png,many\n", "weight mixes numbers and texts: line 2 has 1, line 3 'many'"),
        ("file_name,weight\na.png,1\nb.png,\n", "weight mixes numbers and texts"),
        ("file_name,weight\na.png,1\nb.png,²\n", "weight mixes numbers and texts: line 2 has 1, line 3 '²'"),
        ("file_name,weight\na.png,1\nb.png,١\n", "weight mixes numbers and texts"),
        ("file_name,weight\na.png,1\nb.png,1_0\n", "weight mixes numbers and texts"),
        (f"file_name,weight\na.png,1\nb.png,{'9' * 5000}\n", "line 3 has inf as weight"),
        ("file_name,weight\n", "has no line"),
        ("\ufeff", "has no line"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_its_line(root, text, words):
    (root / "metadata.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        folder(root).keys()


@pytest.mark.parametrize("column", ["measurement", "measurement_file_name"])
def test_a_measurement_does_not_come_by_the_metadata_which_would_crop_it(root, column):
    jsonl(root, [{"file_name": name, column: "styles/x.png"} for name in ("a.png", "b.png", "styles/y.png")])
    with pytest.raises(UserError, match=r"metadata.jsonl: a column measurement .*MeasuredFolder, or rename"):
        folder(root).keys()


def test_two_metadata_files_are_refused(root):
    jsonl(root, LINES)
    (root / "metadata.csv").write_text("file_name\n")
    with pytest.raises(UserError, match=r"both metadata\.jsonl and metadata\.csv"):
        folder(root).keys()


@pytest.mark.parametrize("label", [-1, 0.5, "cat"])
def test_labels_that_are_no_classes_are_refused(root, label):
    jsonl(root, [{**line, "label": label} for line in LINES])
    with pytest.raises(UserError, match=r"label of a is .*whole numbers from 0 on"):
        folder(root, labels="metadata").keys()


def test_labels_of_metadata_that_is_not_there_are_refused(image_folder):
    with pytest.raises(UserError, match="no metadata with a column label"):
        folder(image_folder, labels="metadata").keys()
