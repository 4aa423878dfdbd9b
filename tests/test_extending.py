"""docs/extending.md is run as it stands."""

import json
import re
from pathlib import Path

import pytest

from train_free_eval import main

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page's files, in a folder of their own beside the configurations."""
    for name, text in BLOCK.findall((ROOT / "docs" / "extending.md").read_text()):
        (tmp_path / name).write_text(text)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["my_method", "my_task", "my_model"])
def test_the_page_on_extending_runs_as_it_stands(page, name):
    small = ["--model.steps", "3", "--data.limit", "2", "--data.batch_size", "2", "--trainer.accelerator", "cpu"]
    assert main(["predict", "--config", f"{name}.yaml", "--run_dir", f"runs/{name}", *small]) == 0
    metrics = json.loads(Path(f"runs/{name}/metrics.json").read_text())
    assert metrics["metrics"]["psnr"]["n"] == 2
    assert metrics["metrics"]["nfe_backward"]["mean"] == (3 if name == "my_method" else 2)


def test_the_pages_method_passes_the_contract_by_the_pages_command(pytester, page, monkeypatch):
    monkeypatch.chdir(page)  # pytester has gone to a folder of its own
    (command,) = re.findall(
        r"python -m pytest (.*--guidance my_method\.Nor.*)", (ROOT / "docs/extending.md").read_text()
    )
    for options in (command.split(), command.replace("my_method.NormalisedDPS", "my_method.yaml").split()):
        selection = [
            str(ROOT / "tests/contract/test_contract.py"),
            "-k",
            "toy-super-resolution",
            "-p",
            "no:cacheprovider",
        ]
        pytester.runpytest_inprocess(*selection, *options).assert_outcomes(passed=5)
