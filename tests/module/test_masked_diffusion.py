"""A masked process through the command line: the same run folder, judge and columns as for images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from callbacks.loggers.hparams import columns
from callbacks.manifold import Manifold
from dsg.data.batches import Batch
from dsg.data.examples import Examples
from dsg.errors import UserError
from dsg.models.portraits.token_network import CodedNetwork
from dsg.models.tokens import JointTable, NetworkTokens
from dsg.module import GuidedDiffusion, MaskedDiffusion, module_for
from dsg.report.labels import method
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


class Silent(nn.Module):
    """Answers no numbers to sequences of the second class."""

    def forward(self, tokens, labels):
        return torch.zeros(*tokens.shape, 3).masked_fill((labels == 1)[:, None, None], torch.nan)


def test_a_sample_of_which_the_network_says_no_numbers_is_a_failed_row():
    module = MaskedDiffusion(NetworkTokens(Silent(), length=2, vocabulary=3, num_classes=2))
    examples = Examples(None, {"label": torch.tensor([0, 1])})
    rows = module.predict_step(Batch([("a", 0), ("b", 0)], examples, [])).rows
    assert [row["status"] for row in rows] == ["ok", "failed: the sample is not finite"]


def test_tables_and_codes_keep_their_digits_where_all_is_cast():
    table = JointTable([[0.1, 0.9], [0.3, 0.7]])
    assert MaskedDiffusion(table).to(torch.bfloat16).token_model.joint.dtype == torch.float64
    assert CodedNetwork().to(torch.bfloat16).codes.dtype == torch.float32


def test_a_run_of_tokens_is_named_by_its_combiner():
    combiner = {
        "class_path": "dsg.masked.combiners.ClassifierFree",
        "init_args": {"guidance_scale": 3.0, "normalised": True},
    }
    model = {"token_model": {"class_path": "dsg.models.tokens.JointTable"}, "combiner": combiner, "steps": None}
    told = columns({"model": model})
    assert (told["task"], told["method"], told["steps"]) == ("Generation", "ClassifierFree", "one a token")
    assert (told["strength"], told["strength_of"]) == (3.0, "guidance_scale")
    assert method({"model": {"token_model": model["token_model"]}}) == "Unguided"


def test_a_manifold_of_a_density_is_refused():
    with pytest.raises(UserError, match="follows a Gaussian path, and MaskedDiffusion takes none"):
        Manifold().check(MaskedDiffusion(JointTable([[0.1, 0.9]])), None)
