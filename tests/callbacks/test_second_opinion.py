"""What other networks say of a sample: as columns, as a gap to the guide, and never by the guide itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from callbacks import SecondOpinion
from dsg.errors import UserError
from dsg.metrics.direction import direction_of
from dsg.metrics.gap import fooled
from dsg.metrics.statistics import paired_difference
from tests.toy import ToyClassifier, ToyFeatures

TASK = ["--model.task", "tasks.Feature", "--model.task.network", "tests.toy.ToyClassifier", "--quality.lpips", "[]"]


def judged_by(network: str, options: str = "{}", task: str = "tasks.Feature", more: str = "") -> list[str]:
    named = f"{{class_path: tests.toy.{network}, init_args: {options}}}"
    one = f"{{class_path: {task}, init_args: {{network: {named}{more}}}}}"
    return ["--callbacks.second_opinion", "callbacks.SecondOpinion", "--callbacks.second_opinion.judges", f"[{one}]"]


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "per_image.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pixels(file: Path) -> torch.Tensor:
    with Image.open(file) as picture:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 127.5 - 1


def test_a_judge_scores_the_picture_in_the_folder_and_the_gap_is_the_mean_paired_difference(
    evaluate, tmp_path, image_folder
):
    assert evaluate(*TASK, *judged_by("ToyFeatures"), "--data.limit", 3) == 0
    run, network = tmp_path / "run", ToyFeatures()
    found = rows(run)
    for row in found:
        sample, reference = pixels(run / f"samples/{row['id']}.png"), pixels(image_folder / f"{row['id']}.png")
        by_hand = (network(sample) - network(reference)).norm().item()
        assert float(row["judge_feature_distance"]) == pytest.approx(by_hand, rel=1e-5)
        by_guide = (ToyClassifier()(sample) - ToyClassifier()(reference)).norm().item()
        assert float(row["feature_distance"]) == pytest.approx(by_guide, rel=1e-4)
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    guide, judge = ({row["id"]: float(row[name]) for row in found} for name in ("feature_distance",
                                                                                "judge_feature_distance"))  # fmt: skip
    assert metrics["gap_feature_distance"] == pytest.approx(paired_difference(guide, judge).as_dict())


def test_samples_that_are_compared_with_nothing_have_no_columns_of_quality_and_no_word_about_them(
    evaluate, tmp_path, capsys
):
    part = "{class_path: tasks.Feature, init_args: {network: {class_path: tests.toy.ToyClassifier}}}"
    options = ["--model.task", "tasks.Sum", "--model.task.tasks", f"[{part}, {part}]", "--data.limit", 1]
    assert evaluate(*options) == 0
    assert "unavailable" not in capsys.readouterr().err
    found = json.loads((tmp_path / "run/metrics.json").read_text())
    assert not {"psnr", "ssim", "lpips_vgg"} & {*found["metrics"], *found["unavailable"]}
    assert {"feature_distance", "feature_2_distance"} <= found["metrics"].keys()


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        (judged_by("ToyClassifier"), "it has the weights of a network that the sampler follows"),
        (judged_by("ToyClassifier", "{answer: .nan}"), "answers a grey image with numbers that are not finite"),
        (judged_by("ToyFeatures", more=", reference: style"), "needs style of every example, and the data has image"),
        (["--callbacks.second_opinion", "callbacks.SecondOpinion", "--callbacks.second_opinion.judges",
          "[{class_path: tasks.Denoising}]"], "Denoising tells no score of a sample"),
    ],
    ids=["the guide's weights", "no numbers", "no column", "no score"],
)  # fmt: skip
def test_a_judge_that_cannot_judge_is_one_line_before_there_is_a_folder(evaluate, tmp_path, capsys, judge, words):
    assert evaluate(*TASK, *judge) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert line.startswith("error: callbacks.second_opinion.judges: ")
    assert words in line
    assert not (tmp_path / "run").exists()


def test_no_judge_is_a_mistake():
    with pytest.raises(UserError, match="names none"):
        SecondOpinion([])


def summary(mean: float, low: float, high: float) -> dict[str, float]:
    return {"mean": mean, "low": low, "high": high, "n": 8}


def test_a_guide_that_thinks_better_of_the_samples_than_the_judge_is_told_whichever_way_is_better():
    told = list(fooled({
        "gap_identity_similarity": summary(0.3, 0.2, 0.4), "gap_mean_iou": summary(-0.3, -0.4, -0.2),
        "gap_landmark_error": summary(-2.0, -3.0, -1.0), "gap_attribute_accuracy": summary(0.1, -0.1, 0.3),
        "gap_feature_distance": summary(-9.0, -10.0, -8.0), "identity_similarity": summary(0.9, 0.8, 1.0),
    }))  # fmt: skip
    assert [line.partition(":")[0] for line in told] == ["gap_identity_similarity", "gap_landmark_error"]
    assert "by 0.3 [0.2, 0.4] over 8 images" in told[0]
    assert "believe judge_identity_similarity" in told[0]


@pytest.mark.parametrize(
    ("metric", "arrow"),
    [
        ("judge_identity_similarity", "↑"), ("judge_mean_iou", "↑"), ("attribute_accuracy", "↑"),
        ("judge_text_2_score", "↑"), ("landmark_error", "↓"), ("judge_sketch_distance", "↓"),
        ("precision_portraits", "↑"), ("recall_clean", "↑"), ("gap_mean_iou", "→ 0"), ("gap_landmark_error", "→ 0"),
    ],
)  # fmt: skip
def test_which_way_a_score_is_better_is_known_by_its_name(metric, arrow):
    assert direction_of(metric).arrow == arrow


def test_tensorboard_shows_what_was_asked_in_its_own_shape_beside_the_sample_and_scores_as_curves(evaluate, tmp_path):
    parts = "[{class_path: tasks.SuperResolution, init_args: {factor: 4}}, " + (
        "{class_path: tasks.Feature, init_args: {network: {class_path: tests.toy.ToyClassifier}}}]"
    )
    options = ["--model.task", "tasks.Sum", "--model.task.tasks", parts, "--data.limit", 2, "--quality.lpips", "[]"]
    assert evaluate(*options, *judged_by("ToyFeatures"), "--diagnostics.images", 1) == 0
    events = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0}).Reload()
    (strip,) = events.Images("images/a")
    with Image.open(tmp_path / "run/measurements/a.png") as picture:
        assert picture.size == (16, 32)  # one below the other
    assert (strip.width, strip.height) == (4 * 16, 32)  # truth, what was asked, sample, error
    scores = {"feature_distance", "judge_feature_distance", "gap_feature_distance"}
    assert {f"metrics/{name}" for name in scores} <= set(events.Tags()["scalars"])
