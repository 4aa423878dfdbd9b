"""Configurations that come with the project are found by name, from any folder."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dsg.command.files import read
from dsg.command.shipped import SHIPPED, find_config
from dsg.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["portraits_inpainting_dsg", "experiment/portraits_inpainting_dsg"])
def test_a_name_with_or_without_its_folder_is_a_shipped_file_with_all_that_it_includes(name):
    file = SHIPPED / "experiment" / "portraits_inpainting_dsg.yaml"
    assert find_config(name) == find_config(f"{name}.yaml") == file
    assert read([name]) == read([file])


def test_a_folder_of_that_name_as_a_run_folder_is_hides_nothing(tmp_path):
    (tmp_path / "portraits_inpainting_dsg").mkdir()
    assert find_config("portraits_inpainting_dsg").is_file()


def test_a_file_that_is_there_is_taken_whatever_is_shipped(tmp_path):
    (tmp_path / "portraits_inpainting_dsg").write_text("model: {steps: 3}\n")
    assert read(["portraits_inpainting_dsg"]) == {"model": {"steps": 3}}


def test_a_file_of_ones_own_includes_what_is_beside_it_and_else_what_is_shipped(tmp_path):
    (tmp_path / "mine.yaml").write_text("include: [beside.yaml, guidance/dsg]\nmodel: {steps: 3}\n")
    (tmp_path / "beside.yaml").write_text("data: {x: 1}\n")
    guidance = read(["guidance/dsg"])["model"]
    assert read(["mine.yaml"]) == {"data": {"x": 1}, "model": {**guidance, "steps": 3}}
    for path in ("not_there.yaml", "base.yaml"):  # a path is no name, also where something of that name is shipped
        (tmp_path / "wrong.yaml").write_text(f"include: [{path}]\n")
        with pytest.raises(UserError, match=rf"no file at .*{path}, included by .*wrong.yaml"):
            read(["wrong.yaml"])


def test_a_name_of_several_files_lists_them_and_an_unknown_one_its_nearest():
    with pytest.raises(UserError, match=r"the name of comparison/posterior, experiment/posterior; give one"):
        find_config("posterior")
    with pytest.raises(UserError, match=r"no file at portraits_inpaint_dsg, .*nearest are experiment/portraits_in"):
        find_config("portraits_inpaint_dsg")
    with pytest.raises(
        UserError,
        match=r"no file at nothing_like_it, .* those that are shipped lie below .*configs$",
    ):
        find_config("nothing_like_it")


def test_what_is_installed_holds_the_configurations_and_a_command():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["scripts"] == {"train-free-eval": "train_free_eval:main"}
    assert "configs*" in settings["tool"]["setuptools"]["packages"]["find"]["include"]
    patterns = settings["tool"]["setuptools"]["package-data"]["configs"]
    shipped = {file for pattern in patterns for file in SHIPPED.glob(pattern)}
    assert shipped == {file for file in SHIPPED.rglob("*") if file.is_file()}
