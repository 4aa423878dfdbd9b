"""What a caption names is looked for in the picture that the run folder holds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from dsg.data.portraits import HELD_OUT_START, caption, named_in
from dsg.models.portraits.attribute_judge import AttributeJudge
from dsg.run_folder.folder import RunFolder

CAPTIONS = ("--callbacks.captions", "callbacks.Captions")
THE_PORTRAITS_THEMSELVES = (
    "--model.score_model.init_args.size", 64, "--model.guidance", "dsg.guidance.BackProjected", "--quality.lpips", "[]",
    "--model.task", "tasks.Denoising", "--model.task.noise", "tasks.GaussianNoise",
    "--model.task.noise.noise_sigma", 0.0, "--data", "dsg.data.held_out.HeldOutPortraits", "--data.limit", 3,
)  # fmt: skip


def test_the_columns_are_what_the_judge_says_of_the_pictures_in_the_folder(evaluate, tmp_path):
    assert evaluate(*THE_PORTRAITS_THEMSELVES, "--data.captions", "true", *CAPTIONS) == 0
    folder = RunFolder(tmp_path / "run")
    rows = sorted(folder.rows(), key=lambda row: row["id"])
    files = [folder.picture_path("samples", row["id"], row["sample"]) for row in rows]
    images = torch.stack([torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) for file in files]) / 127.5 - 1
    told = [caption(HELD_OUT_START + i).named for i in range(3)]
    for row, answer in zip(rows, AttributeJudge().agrees(images, told), strict=True):
        assert row["judge_caption_accuracy"] == sum(answer.values()) / len(answer) > 0.5
        judged = {name: row[name] for name in row if name.startswith("judge_") and name != "judge_caption_accuracy"}
        assert judged == {f"judge_{fact}_accuracy": seen for fact, seen in answer.items()}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    mean = np.mean([row["judge_caption_accuracy"] for row in rows])
    assert metrics["judge_caption_accuracy"]["mean"] == pytest.approx(mean)


def test_one_text_may_be_asked_of_all_samples(evaluate, tmp_path):
    text = "a person with sunglasses, laughing"
    assert evaluate(*THE_PORTRAITS_THEMSELVES, *CAPTIONS, "--callbacks.captions.prompt", text) == 0
    for row in RunFolder(tmp_path / "run").rows():
        assert {f"judge_{fact}_accuracy" for fact in named_in(text)} < row.keys()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((*THE_PORTRAITS_THEMSELVES, *CAPTIONS), ("no column prompt", "callbacks.captions.prompt")),
        (CAPTIONS, ("callbacks.captions", "3x16x16")),
        ((*CAPTIONS, "--callbacks.captions.prompt", "a bicycle"), ("'a bicycle' names nothing",)),
    ],
    ids=["no captions", "no portraits", "names nothing"],
)
def test_what_cannot_be_judged_is_refused_before_the_first_sample(evaluate, tmp_path, capsys, options, words):
    assert evaluate(*options) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert all(word in said for word in words)
    assert not list((tmp_path / "run").glob("samples/*"))
