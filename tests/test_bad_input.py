"""Every mistake in the input ends with code 2, one line that says what and how to mend it, and no results."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

ADM = ["--model.score_model", "dsg.models.adm.ADM", "--model.score_model.checkpoint"]
NOISE = "--model.task.init_args.noise"

# arguments, and the words that the line has to have; {} is the test's folder
MISTAKES = {
    "unknown option": (["--model.nonsense", "1"], ["--model.nonsense", "lists the options"]),
    "misspelt option": (["--model.step", "1"], ["--model.step", "did you mean --model.steps?"]),
    "unknown parameter": (["--model.guidance.guidance_ratee", "1"], ["model.guidance", "'guidance_ratee'"]),
    "unknown module": (["--model.score_model", "nope.Model"], ["model.score_model", "No module named 'nope'"]),
    "unknown class": (
        ["--model.guidance", "dsg.guidance.Nope"],
        ["model.guidance", "no attribute 'Nope'", "it has BODDNM"],
    ),
    "unknown parameter of a class": (
        ["--model.guidance.guidance_rat", "0.3"],
        ["'guidance_rat' is not accepted", "it has base, guidance_rate"],
    ),
    "class of another kind": (["--model.score_model", "tasks.Denoising"], ["model.score_model", "ScoreModel"]),
    "no number": (["--model.guidance.guidance_rate", "much"], ["guidance_rate", "float", "much"]),
    "no such choice": (["--model.spacing", "odd"], ["model.spacing", "'even', 'leading', 'trailing'", "odd"]),
    "no such network": (["--quality.lpips", "[resnet]"], ["quality.lpips", "'vgg', 'alex', 'squeeze'", "resnet"]),
    "no data": (["--data", "null"], ["data"]),
    "rate above 1": (["--model.guidance.guidance_rate", "1.5"], ["guidance_rate", "[0, 1]", "1.5"]),
    "rate below 0": (["--model.guidance.guidance_rate", "-0.1"], ["guidance_rate", "[0, 1]", "-0.1"]),
    "interval 0": (["--model.guidance.interval", "0"], ["interval", "at least 1", "0"]),
    "DSG without noise": (["--model.kernel.init_args.eta", "0"], ["DSG", "eta 0", "model.kernel.eta above 0"]),
    "eta above 1": (["--model.kernel.init_args.eta", "2"], ["eta", "[0, 1]", "2"]),
    "drop_min 0": (["--model.task.init_args.drop_min", "0"], ["drop_min", "0 < drop_min <= drop_max < 1"]),
    "drop_max 1": (["--model.task.init_args.drop_max", "1"], ["drop_max", "0 < drop_min <= drop_max < 1"]),
    "negative noise": (
        [NOISE, "tasks.GaussianNoise", f"{NOISE}.init_args.noise_sigma", "-1"],
        ["noise_sigma", "at least 0", "-1"],
    ),
    "factor that does not divide": (
        ["--model.task", "tasks.SuperResolution", "--model.task.factor", "8", "--model.score_model.size", "20",
         "--data.image_size", "20"],
        ["factor 8", "20x20"],
    ),
    "square that does not fit": (["--model.task", "tasks.BoxInpainting"], ["BoxInpainting", "16x16"]),
    "no steps": (["--model.steps", "0"], ["steps", "1 to 1000", "0"]),
    "steps in words": (["--model.steps", "many"], ["steps", "ddimN", "many"]),
    "variance that is not learned": (
        ["--model.kernel", "dsg.kernels.DDPM", "--model.kernel.variance", "learned_range"],
        ["learned_range", "fixed_small"],
    ),
    "images of another size": (["--data.image_size", "32"], ["3x32x32", "3x16x16", "data.image_size"]),
    "no image folder": (["--data.root", "{}/nowhere"], ["data.root", "no folder at", "nowhere"]),
    "image folder without images": (["--data.root", "{}/empty"], ["data.root", "no image", "empty"]),
    "limit 0": (["--data.limit", "0"], ["data.limit", "at least 1"]),
    "no samples": (["--data.samples_per_image", "0"], ["data.samples_per_image", "at least 1"]),
    "negative workers": (["--data.num_workers", "-1"], ["data.num_workers", "at least 0"]),
    "labels for an unconditional model": (["--data.labels", "{}/labels.csv"], ["data.labels", "unconditional"]),
    "labels of flat images": (["--data.labels", "folders"], ["data.labels", "folder a class"]),
    "no labels for a conditional model": (
        ["--model.score_model.class_path", "tests.toy_faults.Conditional"], ["needs labels", "data.labels"],
    ),
    "labels out of range": (
        ["--model.score_model.class_path", "tests.toy_faults.Conditional", "--data.labels", "{}/labels.csv"],
        ["data.labels", "0 to 2", "got 5"],
    ),
    "no checkpoint": ([*ADM, "{}/none.pt"], ["none.pt", "no such file"]),
    "truncated checkpoint": ([*ADM, "{}/truncated.pt"], ["truncated.pt", "truncated or no checkpoint"]),
    "truncated safetensors": ([*ADM, "{}/truncated.safetensors"], ["truncated or no checkpoint"]),
    "foreign checkpoint": ([*ADM, "{}/foreign.pt"], ["foreign.pt", "does not fit", "missing"]),
    "training checkpoint": ([*ADM, "{}/training.pt"], ["training.pt", "not a flat state dict", "epoch"]),
    "checkpoint with code": ([*ADM, "{}/code.pt"], ["code.pt", "refused", "run code"]),
    "no configuration": (["--config", "{}/none.yaml"], ["--config", "no file at", "none.yaml"]),
    "configuration without a name": (["--config"], ["--config", "names no file"]),
    "configuration that is not YAML": (["--config", "{}/broken.yaml"], ["broken.yaml", "not YAML", "line 2"]),
    "configuration that is a sentence": (["--config", "{}/sentence.yaml"], ["sentence.yaml", "no settings"]),
    "misspelt line": (["--config", "{}/misspelt.yaml"], ["model.guidance", "'guidance_ratee'"]),
    "unknown line": (["--config", "{}/unknown.yaml"], ["modell"]),
    "include of nothing": (["--config", "{}/dangling.yaml"], ["gone.yaml", "included by", "dangling.yaml"]),
    "circle of includes": (["--config", "{}/circle.yaml"], ["circle.yaml includes itself"]),
    "include that is no list": (["--config", "{}/text.yaml"], ["include", "list of files", "'circle.yaml'"]),
    "foreign run folder": (["--run_dir", "{}/images"], ["run_dir", "not empty and no run folder"]),
    "run folder that is a file": (["--run_dir", "{}/broken.yaml"], ["run_dir", "is a file"]),
    "run folder that cannot be made": (["--run_dir", "/proc/nothing/run"], ["run_dir", "cannot write"]),
    "no such strategy": (["--trainer.strategy", "magic"], ["trainer", "magic"]),
    "no such precision": (["--trainer.precision", "13"], ["trainer.precision", "'bf16-mixed'"]),
    "no such device": (["--trainer.devices", "0"], ["trainer", "devices", "0"]),
    "inference mode": (["--trainer.inference_mode", "true"], ["trainer.inference_mode to false"]),
    "negative interval of the progress": (["--progress.interval", "-1"], ["progress.interval", "at least 0"]),
    "no steps to show": (["--diagnostics.clean_estimates", "0"], ["Diagnostics", "clean_estimates", "at least 1"]),
}  # fmt: skip


class Code:
    """What a pickle can do to whoever loads it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.file}",)


@pytest.fixture
def bad_files(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    (tmp_path / "labels.csv").write_text("a,0\nb,1\nc,2\nd,3\nmore/e,4\nmore/f,5\n")
    torch.save({"weight": torch.zeros(1000)}, tmp_path / "foreign.pt")
    (tmp_path / "truncated.pt").write_bytes((tmp_path / "foreign.pt").read_bytes()[:1000])
    (tmp_path / "truncated.safetensors").write_bytes(b"\x40\x00\x00\x00\x00\x00\x00\x00{")
    torch.save({"epoch": 3, "state_dict": {"weight": torch.zeros(1)}}, tmp_path / "training.pt")
    (tmp_path / "code.pt").write_bytes(pickle.dumps(Code(tmp_path / "executed"), protocol=2))
    (tmp_path / "broken.yaml").write_text("model: {steps: 5\ndata: [")
    (tmp_path / "sentence.yaml").write_text("there is nothing in here")
    guidance = "{class_path: dsg.guidance.DSG, init_args: {guidance_ratee: 1}}"
    (tmp_path / "misspelt.yaml").write_text(f"model: {{guidance: {guidance}}}")
    (tmp_path / "unknown.yaml").write_text("modell: {steps: 5}")
    (tmp_path / "dangling.yaml").write_text("include: [gone.yaml]")
    (tmp_path / "circle.yaml").write_text("include: [round.yaml]")
    (tmp_path / "round.yaml").write_text("include: [circle.yaml]")
    (tmp_path / "text.yaml").write_text("include: circle.yaml")
    return tmp_path


@pytest.mark.parametrize(("arguments", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(arguments, words, evaluate: Callable[..., int], bad_files, capsys):
    assert evaluate(*(argument.replace("{}", str(bad_files)) for argument in arguments)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("unavailable: ")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert len(lines[0]) < 500
    for word in words:
        assert word in lines[0]
    assert not list((bad_files / "run").rglob("*.png"))
    assert not (bad_files / "executed").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_where_there_is_none_is_one_line(evaluate, capsys):
    assert evaluate("--trainer.accelerator", "gpu") == 2
    assert capsys.readouterr().err == (
        "error: trainer: No supported gpu backend found!; accelerator auto and devices auto take what there is\n"
    )


def test_other_settings_in_a_run_folder_are_refused_with_each_difference_named(evaluate, capsys):
    assert evaluate("--data.limit", "2") == 0
    capsys.readouterr()
    assert evaluate("--data.limit", "2", "--model.seed", "1", "--model.guidance.guidance_rate", "0.3") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "model.seed was 0, now 1" in line
    assert "model.guidance.init_args.guidance_rate was 0.2, now 0.3" in line
    assert "another run_dir" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_folder_that_may_not_be_written_is_one_line(evaluate, tmp_path, capsys):
    (tmp_path / "run").mkdir(mode=0o500)
    assert evaluate() == 2
    assert "run_dir: cannot write" in capsys.readouterr().err


def test_an_image_that_vanishes_before_it_is_read_fails_alone(evaluate, image_folder, monkeypatch):
    opened = Image.open

    def vanishing(path, *args, **kwargs):
        if str(path).endswith("a.png"):
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Image, "open", vanishing)
    assert evaluate() == 1
