"""docs/extending.md and docs/data.md are run as they stand."""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml

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


def test_the_pages_tokens_are_sampled_and_kept_as_pictures(page):
    small = ["--data.limit", "2", "--data.batch_size", "2", "--model.steps", "3", "--trainer.accelerator", "cpu"]
    assert main(["predict", "--config", "my_tokens.yaml", "--run_dir", "runs/my_tokens", *small]) == 0
    metrics = json.loads(Path("runs/my_tokens/metrics.json").read_text())["metrics"]
    assert (metrics["nfe_forward"]["mean"], metrics["nfe_forward"]["n"]) == (3, 2)
    assert len(list(Path("runs/my_tokens/samples").glob("*.png"))) == 2


def test_the_pages_engine_answers_as_the_network_does_and_better(page):
    from my_engine import Double  # pyright: ignore[reportMissingImports]

    from dsg.models.portraits.model import Portraits

    rounded, exact = Portraits(), Portraits(engine=Double())
    x, level = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)), rounded.schedule.at(-2.0)
    found, expected = rounded(x, level).epsilon, exact(x, level).epsilon
    assert found.dtype == expected.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 1e-4
    file = yaml.safe_load(Path("my_engine.yaml").read_text())
    assert file["model"]["score_model"]["init_args"]["engine"]["class_path"] == f"{Double.__module__}.Double"


def test_the_pages_loss_that_is_a_network_is_a_file_of_twenty_lines_that_runs_as_it_stands(page):
    assert len(Path("my_loss.py").read_text().rstrip().splitlines()) <= 20
    small = ["--model.steps", "3", "--data.limit", "2", "--data.batch_size", "2", "--trainer.accelerator", "cpu"]
    assert main(["predict", "--config", "my_loss.yaml", "--run_dir", "runs/my_loss", *small]) == 0
    metrics = json.loads(Path("runs/my_loss/metrics.json").read_text())["metrics"]
    assert (metrics["feature_distance"]["n"], metrics["nfe_backward"]["mean"]) == (2, 2)
    assert "psnr" not in metrics


def test_the_pages_kernel_runs_as_it_stands(page):
    small = ["--model.steps", "3", "--data.limit", "2", "--data.batch_size", "2", "--trainer.accelerator", "cpu"]
    assert main(["predict", "--config", "my_kernel.yaml", "--run_dir", "runs/my_kernel", *small]) == 0
    metrics = json.loads(Path("runs/my_kernel/metrics.json").read_text())["metrics"]
    assert (metrics["nfe_forward"]["mean"], metrics["nfe_backward"]["mean"]) == (5, 3)


@pytest.fixture
def contract(pytester, page, monkeypatch):
    """Run some contract tests as a command of the page does: `contract(file, case, options)` → how many passed."""
    monkeypatch.chdir(page)  # pytester has gone to a folder of its own

    def run(file, case, options):
        selection = [str(ROOT / "tests/contract" / file), "-k", case, "-p", "no:cacheprovider"]
        result = pytester.runpytest_inprocess(*selection, *[option for option in options if option not in ("-n", "2")])
        assert result.ret == pytest.ExitCode.OK
        return result.parseoutcomes()["passed"]

    return run


def commands(option):
    found = re.findall(rf"python -m pytest (--{option} .*)", text_of("extending"))
    assert len(found) == 2
    return [command.split() for command in found]


def test_the_pages_method_passes_the_contract_by_the_pages_commands(contract):
    for options in commands("guidance"):
        case = "toy-super-resolution-NormalisedDPS-ddim-conditional"
        assert contract("test_contract.py", case, options) == 6
    assert contract("test_parts.py", "NormalisedDPS", options) == 4
    assert contract("test_reaches_the_step.py", "NormalisedDPS", options) == 18  # twelve kernels, nine with noise


def test_the_pages_kernel_passes_the_contract_and_the_laws_of_a_kernel_by_the_pages_commands(contract):
    for options in commands("kernel"):
        assert contract("test_kernel_laws.py", "ExponentialHeun", options) >= 9
    assert contract("test_contract.py", "mpgd-ExponentialHeun", options) > 40
    assert contract("test_reaches_the_step.py", "ExponentialHeun", options) > 40


def test_the_pages_condition_goes_through_classifier_free_guidance_and_dsg(page, image_folder):
    lines = [{"file_name": f"{name}.png", "prompt": text} for name, text in [("a", "eel"), ("b", "sky")]]
    for name in ("c", "d", "more/e", "more/f"):
        (image_folder / f"{name}.png").unlink()
    (image_folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    model = ["--model.score_model", "my_prompts.Prompted", "--model.score_model.network", "my_model.Shrink"]
    shape = ["--model.score_model.shape", "[3,16,16]", "--model.steps", "3"]
    combiner = ["--model.combiner", "dsg.combiners.ClassifierFree"]
    folder = ["--data", "dsg.data.folder.ImageFolder", "--data.root", str(image_folder), "--data.image_size", "16"]
    start = ["predict", "--config", "configs/experiment/portraits_inpainting_dsg.yaml", "--trainer.accelerator", "cpu"]
    options = [*model, *shape, *combiner, *folder, "--data.num_workers", "0", "--run_dir", "runs/my_prompts"]
    assert main([*start, *options]) == 0
    metrics = json.loads(Path("runs/my_prompts/metrics.json").read_text())["metrics"]
    assert (metrics["psnr"]["n"], metrics["nfe_forward"]["mean"], metrics["nfe_backward"]["mean"]) == (2, 6, 2)


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
