"""docs/extending.md and docs/data.md are run as they stand."""

import json
import re
from pathlib import Path

import pytest

from train_free_eval import main

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", re.DOTALL)


def text_of(name):
    return (ROOT / "docs" / f"{name}.md").read_text()


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The pages' files, in a folder of their own beside the configurations."""
    for name, text in [block for doc in ("extending", "data") for block in BLOCK.findall(text_of(doc))]:
        (tmp_path / name).write_text(text)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["my_method", "my_task", "my_model", "my_data"])
def test_the_page_on_extending_runs_as_it_stands(page, name):
    small = ["--model.steps", "3", "--data.limit", "2", "--data.batch_size", "2", "--trainer.accelerator", "cpu"]
    assert main(["predict", "--config", f"{name}.yaml", "--run_dir", f"runs/{name}", *small]) == 0
    metrics = json.loads(Path(f"runs/{name}/metrics.json").read_text())
    assert metrics["metrics"]["psnr"]["n"] == 2
    assert metrics["metrics"]["nfe_backward"]["mean"] == (3 if name == "my_method" else 2)


def test_the_pages_method_passes_the_contract_by_the_pages_command(pytester, page, monkeypatch):
    monkeypatch.chdir(page)  # pytester has gone to a folder of its own
    (command,) = re.findall(r"python -m pytest (.*--guidance my_method\.Nor.*)", text_of("extending"))
    for options in (command.split(), command.replace("my_method.NormalisedDPS", "my_method.yaml").split()):
        selection = [
            str(ROOT / "tests/contract/test_contract.py"),
            "-k",
            "toy-super-resolution",
            "-p",
            "no:cacheprovider",
        ]
        pytester.runpytest_inprocess(*selection, *options).assert_outcomes(passed=5)


def test_the_pages_task_reads_a_column_of_the_metadata(page, image_folder):
    for i, file in enumerate(sorted(image_folder.glob("*.png"))):
        line = {"file_name": file.name, "style_file_name": "more/e.png" if i % 2 else "more/f.png"}
        with (image_folder / "metadata.jsonl").open("a") as metadata:
            print(json.dumps(line), file=metadata)
    model = ["--model.score_model", "tests.toy.Toy", "--model.task", "my_colours.ColoursOf", "--model.steps", "3"]
    folder = ["--data", "dsg.data.folder.ImageFolder", "--data.root", str(image_folder), "--data.image_size", "16"]
    start = ["predict", "--config", "my_method.yaml", "--run_dir", "runs/my_colours", "--trainer.accelerator", "cpu"]
    assert main([*start, *model, *folder, "--data.num_workers", "0"]) == 0
    metrics = json.loads(Path("runs/my_colours/metrics.json").read_text())
    assert metrics["metrics"]["loss"]["n"] == 4
    assert "psnr" not in metrics["metrics"]


def test_the_pages_lines_of_python_run(page):
    (block,) = [b for b in re.findall(r"```python\n(.*?)```", text_of("data"), re.DOTALL) if "Trainer" in b]
    found = {}
    exec(block.replace("Trainer(", "Trainer(accelerator='cpu', logger=False, "), found)
    assert found["samples"].shape == (2, 3, 64, 64)
