"""Groups of classes are measured apart, as if the others were not there."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import callbacks
import tasks
from benchmarks.portraits.reference_pictures import write_by_class
from dsg.data.held_out import HeldOutPortraits
from dsg.data.portraits import HELD_OUT_START
from dsg.errors import UserError
from dsg.metrics.direction import direction_of
from dsg.metrics.distribution import distances
from dsg.metrics.feature_set import collect
from dsg.metrics.features import extract
from dsg.metrics.groups import ClassGroups
from dsg.metrics.portraits import PortraitFeatures
from dsg.run_folder.folder import RunFolder
from tests.toy import Toy, ToyClassifier

CPU = torch.device("cpu")
GROUPS = {"head": [0, 1, 2], "tail": [6, 7]}
PORTRAITS = (
    "--model.score_model", "tests.callbacks.test_class_groups.EightClasses", "--model.guidance",
    "dsg.guidance.BackProjected", "--quality.lpips", "[]", "--model.task", "tasks.Denoising", "--model.task.noise",
    "tasks.GaussianNoise", "--model.task.noise.noise_sigma", 0.0, "--data", "dsg.data.held_out.HeldOutPortraits",
)  # fmt: skip
EVEN = (*PORTRAITS, "--data.labels", "true", "--data.limit", 16, "--data.even_classes", "true")
JUDGE = (
    "--callbacks.classification", "callbacks.Classification", "--callbacks.classification.judge",
    "dsg.models.portraits.classifier.PortraitsClassifier", "--callbacks.classification.judge.role", "judge",
)  # fmt: skip


class EightClasses(Toy):
    """A toy of portraits that is told of their classes, and does not listen."""

    num_classes, null_class = 8, 8

    def __init__(self) -> None:
        super().__init__(64)

    def forward(self, x_t, level, condition=None):
        return super().forward(x_t, level)


def groups(folder, classes=GROUPS, **more):
    option = "--callbacks.class_groups"
    found = [option, "callbacks.ClassGroups", f"{option}.groups", json.dumps(classes)]
    return (*found, f"{option}.features", "[portraits]", f"{option}.reference", str(folder), f"{option}.neighbours", 1)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    write_by_class(folder, HELD_OUT_START + 5000, 2)
    return folder


def test_a_groups_metrics_are_those_of_its_samples_and_of_its_classes_in_the_reference(evaluate, tmp_path, reference):
    assert evaluate(*EVEN, *JUDGE, *groups(reference)) == 0
    folder = RunFolder(tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    labels = HeldOutPortraits(limit=16, even_classes=True, labels=True).known("label")
    network = PortraitFeatures()
    for name, classes in GROUPS.items():
        rows = [row for row in folder.rows() if labels[row["id"]] in classes]
        assert {row["group"] for row in rows} == {name}
        right = [row["judge_correct"] for row in rows]
        assert metrics[f"judge_correct_{name}"]["mean"] == pytest.approx(np.mean(right))
        assert metrics[f"judge_correct_{name}"]["n"] == len(right) == 2 * len(classes)
        sides = []
        for files in (
            [folder.picture_path("samples", row["id"], 0) for row in rows],
            [file for label in classes for file in sorted((reference / str(label)).iterdir())],
        ):
            sides.append(collect(extract(network, files, CPU), len(files), 64, 100))
        for metric, value in distances(network, *sides, "", neighbours=1).metrics.items():
            assert metrics[f"{metric}_{name}"]["mean"] == pytest.approx(value["mean"], rel=1e-5, abs=1e-6)
    assert not [row for row in folder.rows() if labels[row["id"]] in (3, 4, 5) and "group" in row]


def test_even_classes_are_the_first_pictures_of_each():
    data = HeldOutPortraits(limit=16, even_classes=True, labels=True)
    labels = [int(data.load(image_id).columns["label"]) for image_id in data.image_ids()]
    assert np.bincount(labels).tolist() == [2] * 8
    assert data.known("label") == dict(zip(data.image_ids(), labels, strict=True))
    natural = HeldOutPortraits(limit=40, labels=True)
    firsts = [i for i, label in natural.known("label").items() if label == 0][:2]
    assert [i for i, label in zip(data.image_ids(), labels, strict=True) if label == 0] == firsts


def test_more_is_better_of_a_groups_accuracy_too():
    assert direction_of("judge_correct_tail").sign == direction_of("psnr_tail").sign == 1
    assert direction_of("fd_portraits_tail").sign == -1


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ({}, "names no group"),
        ({"head": []}, "the group head has no class"),
        ({"Head": [0]}, "'Head' cannot end a metric's name"),
        ({"head": [0], "tail": [1, 0]}, "class 0 is in head and in tail"),
        ({"head": [-1]}, "head has the class -1"),
    ],
)
def test_groups_that_are_none_are_refused(classes, says):
    with pytest.raises(UserError, match=says):
        ClassGroups(classes)


@pytest.mark.parametrize(
    ("options", "classes", "says"),
    [
        (EVEN, {"tail": [8]}, "there is no class 8, of 8 classes"),
        (PORTRAITS, GROUPS, "the data has no labels; set data.labels"),
        (
            (*PORTRAITS, "--data.labels", "true", "--data.limit", 4), GROUPS,
            r"head (classes 0, 1, 2) has|tail (classes 6, 7) has",
        ),
        ((*EVEN, "--data.limit", 12), GROUPS, "data.even_classes: 12 pictures cannot be 8 classes of equal size"),
    ],
)  # fmt: skip
def test_groups_that_cannot_be_measured_are_refused_before_the_first_sample(
    evaluate, tmp_path, capsys, reference, options, classes, says
):
    assert evaluate(*options, *groups(reference, classes)) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert any(words in said for words in says.split("|"))
    assert not (tmp_path / "run").exists()


def test_a_reference_without_a_groups_classes_or_class_folders_is_refused(evaluate, tmp_path, capsys, reference):
    folder = tmp_path / "part"
    write_by_class(folder, HELD_OUT_START, 1)
    assert evaluate(*EVEN, *groups(folder, {"tail": [7]})) == 2
    assert "tail (classes 7) has 1 pictures in" in capsys.readouterr().err
    (folder / "7").rename(folder / "last")
    assert evaluate(*EVEN, *groups(folder, {"tail": [7]})) == 2
    assert "is in no folder with its class as name" in capsys.readouterr().err


def test_what_a_network_says_against_the_pictures_names_the_option_of_the_groups(reference):
    groups = callbacks.ClassGroups({"tail": [0, 1]}, features=["portraits"], reference=str(reference))
    task, data = tasks.ClassLabel(ToyClassifier(), target=1), SimpleNamespace(known=lambda column: {})
    module = SimpleNamespace(sampler=SimpleNamespace(task=task), model=SimpleNamespace(image_shape=(3, 16, 16)))
    with pytest.raises(UserError, match=r"^callbacks.class_groups.features: portraits needs pictures of 64x64, got 16"):
        groups.check(module, data)  # type: ignore[arg-type]
