"""A masked process through the command line: the same run folder, judge and columns as for images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dsg.module import GuidedDiffusion, MaskedDiffusion, module_for
from train_free_eval import main

EXPERIMENT = Path(__file__).parents[2] / "configs" / "experiment" / "theory_tokens.yaml"
SMALL = [
    "--data.limit",
    "2",
    "--data.samples_per_image",
    "50",
    "--data.batch_size",
    "1",
    "--trainer.accelerator",
    "cpu",
]


def test_a_token_model_makes_it_a_masked_process():
    assert module_for({"token_model", "steps"}) is MaskedDiffusion
    assert module_for({"score_model", "steps"}) is GuidedDiffusion


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    assert main(["predict", "--config", str(EXPERIMENT), "--run_dir", str(folder), *SMALL]) == 0
    return folder


def test_a_run_of_tokens_has_samples_rows_and_what_the_judge_says(finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["metrics"]["nfe_forward"]["mean"] == 4  # two tokens, each under two conditions
    assert 1.0 < metrics["metrics"]["judge_reciprocal"]["mean"] < 3.0
    assert metrics["metrics"]["judge_correct"]["n"] == 2
    samples = load_file(finished / "samples" / "0000.safetensors")["samples"]
    assert samples.shape == (50, 2)
    assert set(samples.flatten().tolist()) <= {0.0, 1.0, 2.0}


def test_one_problem_alone_has_the_same_samples(finished, tmp_path):
    alone = [*SMALL[2:], "--data.limit", "1", "--data.first", "1"]
    assert main(["predict", "--config", str(EXPERIMENT), "--run_dir", str(tmp_path / "run"), *alone]) == 0
    one, other = (load_file(f / "samples" / "0001.safetensors")["samples"] for f in (finished, tmp_path / "run"))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model.guidance", "dsg.guidance.DSG"], "DSG guides a Gaussian state, and tokens have none"),
        (["--model.task", "tasks.RandomInpainting"], "RandomInpainting asks for something by a loss"),
        (["--model.combiner.guidance_scale", "-1"], "γ must be at least 0"),
        (["--model.steps", "7"], "FirstHitting takes one a token, 2 of them, got 7"),
        (["--data.label", "2"], "data.label: the model has 2 classes, got 2"),
    ],
)
def test_what_does_not_fit_is_one_line_and_makes_no_run_folder(options, says, tmp_path, capsys):
    assert main(["predict", "--config", str(EXPERIMENT), "--run_dir", str(tmp_path / "run"), *SMALL, *options]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert len(told.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_judge_that_lacks_the_classes_is_refused(tmp_path, capsys):
    other = {"classes": [[[1, 1, 1], [1, 1, 1], [1, 1, 1]], [[1, 2, 1], [1, 1, 1], [1, 1, 1]]]}
    classes = {"classes": [*other["classes"], *other["classes"]]}
    options = [
        "--model.token_model.classes", json.dumps(classes["classes"]), "--model.token_model.weights", "null",
        "--data.label", "3",
    ]  # fmt: skip
    assert main(["predict", "--config", str(EXPERIMENT), "--run_dir", str(tmp_path / "run"), *SMALL, *options]) == 2
    assert "it knows 2 classes and there are 4" in capsys.readouterr().err
