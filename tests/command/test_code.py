"""Which code, libraries and machine: what the record of a start is made of."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from dsg.command.code import PROJECT, ROOT, git_state, hash_of_sources, own_code, project_version
from dsg.command.machine import machine, system, versions
from train_free_eval import main

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def project(tmp_path) -> Path:
    """A checkout with a file of the project in it."""
    (tmp_path / "dsg").mkdir()
    (tmp_path / "dsg" / "x.py").write_bytes(b"a = 1\nb = 2\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=x", "-c", "user.email=x", "commit", "--quiet", "-m", "x")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_version_is_that_of_what_is_installed_and_of_pyproject_in_a_bare_checkout(monkeypatch, capsys):
    assert SETTINGS["name"] == PROJECT
    monkeypatch.setattr("dsg.command.code.version", {PROJECT: "7.8"}.__getitem__)
    assert project_version() == "7.8"
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.split()[-1] == "7.8"

    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("dsg.command.code.version", absent)
    assert project_version() == SETTINGS["version"]


def test_a_checkout_is_its_commit_and_whether_files_differ_from_it(project):
    commit = git(project, "rev-parse", "HEAD")
    assert git_state(project) == commit
    (project / "notes.txt").write_text("of no matter")
    assert git_state(project) == commit
    (project / "dsg" / "x.py").write_text("a = 2")
    assert git_state(project) == f"{commit}-dirty"


def test_a_package_inside_another_repository_does_not_take_that_ones_commit(project):
    assert git_state(project / "dsg") is None


def test_where_there_is_no_git_nothing_is_said_and_nothing_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) is None


def test_the_hash_of_the_sources_is_of_names_and_text_and_not_of_line_ends_or_other_files(project):
    before = hash_of_sources(project)
    (project / "dsg" / "x.py").write_bytes(b"a = 1\r\nb = 2\r\n")
    (project / "dsg" / "x.pyc").write_bytes(b"compiled")
    (project / "mine.py").write_text("not the project's")
    assert hash_of_sources(project) == before
    (project / "dsg" / "y.py").write_text("")
    added = hash_of_sources(project)
    (project / "dsg" / "y.py").rename(project / "dsg" / "z.py")
    assert len({before, added, hash_of_sources(project)}) == 3


def test_classes_from_outside_are_known_by_the_hash_of_their_file(tmp_path, monkeypatch):
    (tmp_path / "my_own_method.py").write_text("class Mine: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    base = {"class_path": "my_own_method.Mine"}
    settings = {
        "model": {"guidance": {"class_path": "dsg.guidance.DSG", "init_args": {"base": base}}},
        "data": [{"class_path": "my_own_method.Gone"}, {"class_path": "builtins.dict"}],
    }
    digest = hashlib.sha256(b"class Mine: ...\n").hexdigest()
    assert own_code(settings) == {
        "builtins.dict": None, "my_own_method.Gone": None, "my_own_method.Mine": f"sha256:{digest}",
    }  # fmt: skip
    sys.modules.pop("my_own_method")


def test_the_record_of_a_machine_names_no_folder():
    told = json.dumps([versions(), system(), machine(torch.device("cpu"))])
    for folder in (f"{Path.home()}/", str(ROOT), "/home", "/tmp"):
        assert folder not in told
    assert machine(torch.device("cpu"), 2)["count"] == 2


def test_of_a_gpu_the_record_has_its_name_its_libraries_and_how_it_is_told_to_compute(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"abacus {device.index}")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 90100)
    found = machine(torch.device("cuda", 1), 8)
    assert (found["name"], found["count"], found["cudnn"]) == ("abacus 1", 8, 90100)
    assert {"cuda", "cudnn_tf32", "cudnn_benchmark", "float32_matmul", "deterministic", "cpu"} <= found.keys()


def test_the_libraries_are_those_that_noise_samples_and_metrics_come_from():
    assert {"python", "torch", "numpy", "clean-fid", "scipy", "pillow"} <= versions().keys()
