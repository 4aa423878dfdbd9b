"""Files of labels, as spreadsheets and people write them: right, or one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsg.data.labels import labels_of_file
from dsg.errors import UserError

IMAGES = {"a": Path("a.png"), "b": Path("b.png")}


def read(folder: Path, content: str | bytes) -> dict[str, int]:
    file = folder / "labels.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return labels_of_file(file, IMAGES)


@pytest.mark.parametrize(
    "content",
    [
        "a,0\nb,12\n",
        "\ufeffa,0\nb,12\n",
        "a,0\r\nb,12\r\n",
        "a,0\n\n  \n , \nb,12",
        " a , 0 \nb,\t12\n",
        "id,label\na,0\nb,12\n",
        "\ufeffid, Label\r\na,0\r\nb,12\r\n",
        '"a","0"\n"b","012"\n',
        "z,3\nb,12\na,0\n",
    ],
    ids=["plain", "BOM", "CRLF", "blank lines", "blanks", "header", "spreadsheet", "quotes", "others too"],
)
def test_labels_are_read_whatever_wrote_the_file(tmp_path, content):
    found = read(tmp_path, content)
    assert (found["a"], found["b"]) == (0, 12)


@pytest.mark.parametrize("number", ["²", "١", "1_0", "+1", "-1", "1.0", "1e1", "0x1", "", "9" * 19])
def test_what_is_no_number_in_plain_digits_is_named_with_its_line(tmp_path, number):
    with pytest.raises(UserError, match="line 2 is not `id,label` with a whole number: 'b,") as refusal:
        read(tmp_path, f"a,0\nb,{number}\n")
    assert len(str(refusal.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no line for 2 images, the first is a; an id is the path below"),
        ("\ufeff", "no line for 2 images"),
        ("a.png,0\nb.png,1\n", "no line for 2 images, .* without its ending"),
        ("a,0\nb,1\na,0\n", "line 3 names a, as line 1 does"),
        ("a,0\n\n a,1\nb,1\n", "line 3 names a, as line 1 does"),
        ("a,0,0\nb,1\n", "line 1 is not"),
        ("a\nb,1\n", "line 1 is not"),
        ('a,0\n"b,1\n', "cannot be read as a CSV file"),
        ("a,0\nb,1\n".encode("utf-16"), "cannot be read as a CSV file of UTF-8 text"),
        (b"a,0\nb\x00,1\n", "cannot be read|no line for 1 images"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_one_line(tmp_path, content, words):
    with pytest.raises(UserError, match=words) as refusal:
        read(tmp_path, content)
    assert "\n" not in str(refusal.value)
