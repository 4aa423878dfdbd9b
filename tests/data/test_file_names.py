"""Results of every image have files of their own, or the images are refused before sampling."""

from __future__ import annotations

import pytest

from dsg.data.file_names import check_file_names
from dsg.data.media import Pictures, Vectors
from dsg.errors import UserError
from dsg.run_folder import folder as run_folder
from dsg.run_folder.folder import RunFolder
from tests.data.test_images_below import picture


def check(*ids: str, samples: int = 1, medium=Pictures) -> None:
    check_file_names([(image_id, k) for image_id in ids for k in range(samples)], medium().files)


def test_names_of_every_kind_that_files_can_have_are_taken():
    check("a", "a.b", "more/a", "a.png", "x.y/z", "ünïcode 名", "Screenshot 3.04\u202fPM", "a\\b", "C", "c", samples=3)


@pytest.mark.parametrize(
    ("ids", "samples", "clash"),
    [
        (("x", "x.png/y"), 1, "samples/x.png"),
        (("x.png/deep/y", "x"), 1, "samples/x.png"),
        (("x", "x.1.png/y"), 2, "samples/x.1.png"),
        (("x", "x.safetensors/y"), 1, "measurements/x.safetensors"),
    ],
)
def test_an_image_beside_a_folder_that_is_named_as_its_file_is_refused(ids, samples, clash):
    with pytest.raises(UserError, match=rf"would be in a folder {clash}, which is the file of the image x; rename"):
        check(*ids, samples=samples)


def test_which_files_there_are_hangs_on_the_medium():
    check("x", "x.png/y", medium=Vectors)
    check("x", "x.1.png/y")
    with pytest.raises(UserError, match=r"samples/x\.safetensors"):
        check("x", "x.safetensors/y", medium=Vectors)


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x7fb", "a\u2028b"])
def test_names_that_break_a_line_are_refused_in_one(name):
    with pytest.raises(UserError, match="which breaks lines; rename it") as refusal:
        check(name)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("name", ["a" * 251, "ü" * 125, f"{'a' * 240}/{'b' * 244}"])
def test_a_name_that_is_too_long_for_what_is_written_is_refused(name):
    with pytest.raises(UserError, match=r"a name of \d+ bytes, and 255 are possible; give it a shorter name"):
        check(name)


def test_a_clash_is_found_before_a_run_folder_is_made(evaluate, image_folder, tmp_path, capsys):
    (image_folder / "b.png").rename(image_folder / "b.jpg")
    picture(image_folder / "b.png" / "x.png")
    assert evaluate() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: data: the results of the image b.png/x would be in a folder samples/b.png")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("one", "other"), [("Cat", "cat"), ("e\u0301", "\u00e9")])
def test_names_that_differ_in_case_or_accents_are_refused_where_the_disk_sees_no_difference(
    tmp_path, monkeypatch, one, other
):
    def ask() -> None:
        RunFolder(tmp_path).ask_for([(one, 0), ("x", 0), (other, 0)], Pictures().files)

    ask()
    monkeypatch.setattr(run_folder, "ignores_case", lambda file: True)
    with pytest.raises(UserError, match=r"on a disk where the images .* would be one file; rename one"):
        ask()


def test_a_disk_is_asked_by_a_file_that_is_there(tmp_path):
    (tmp_path / "config.yaml").touch()
    knows_case = not run_folder.ignores_case(tmp_path / "config.yaml")
    (tmp_path / "CONFIG.YAML").touch()
    assert knows_case == (len(list(tmp_path.iterdir())) == 2)
    assert run_folder.ignores_case(tmp_path / "config.yaml")
