"""A class is all that is known of an image."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from scipy.special import softmax
from torch import nn

from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DPS, Unguided
from dsg.module import GuidedDiffusion
from dsg.run_folder.folder import RunFolder
from dsg.sampling import Sampler
from tasks import ClassLabel
from tests.toy import Toy, ToyClassifier

SHAPE = (3, 16, 16)
TASK = ["--model.task", "tasks.ClassLabel", "--model.task.classifier", "tests.toy.ToyClassifier"]
# another bias, so that it is not the classifier that is followed, though it says the same
JUDGE = [
    "--callbacks.classification", "callbacks.Classification",
    "--callbacks.classification.judge", "tests.toy.ToyClassifier", "--callbacks.classification.judge.answer", 1.0,
]  # fmt: skip


def streams(names, samples=None):
    return NoiseStreams([SampleKey(0, name, k) for name, k in zip(names, samples or [0] * len(names), strict=True)])


def images(count, seed=0):
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_loss_is_the_surprise_at_the_class():
    task, x = ClassLabel(ToyClassifier(), target=2), images(5)
    measurement = task.measure(Examples(torch.zeros_like(x)), streams("abcde"))
    expected = nn.functional.cross_entropy(task.classifier(x), torch.full((5,), 2), reduction="none")
    torch.testing.assert_close(task.loss(x, measurement), expected)


def test_a_drawn_class_is_the_image_s_own_and_shared_by_its_samples():
    task, names = ClassLabel(ToyClassifier()), [f"image{i}" for i in range(40)]
    together = task.measure(Examples(torch.zeros(40, *SHAPE)), streams(names)).y
    assert together.unique().tolist() == [0, 1, 2, 3]
    again = task.measure(Examples(images(2, 1)), streams(["image7", "image7"], [0, 1])).y
    assert again.tolist() == [together[7]] * 2


def test_the_class_may_be_the_label_of_the_data():
    task, x = ClassLabel(ToyClassifier(), target="label"), images(3)
    examples = Examples(torch.zeros_like(x), {"label": torch.tensor([3, 0, 1])})
    measurement = task.measure(examples, streams("abc"))
    assert measurement.y.tolist() == [3, 0, 1]
    expected = nn.functional.cross_entropy(task.classifier(x), measurement.y, reduction="none")
    torch.testing.assert_close(task.loss(x, measurement), expected)


def test_labels_are_asked_of_an_unconditional_model_too_and_have_to_be_classes_of_the_classifier(
    evaluate, tmp_path, image_folder, capsys
):
    labelled = [*TASK, "--model.task.target", "label", "--data.limit", "2", "--data.labels", str(tmp_path / "l.csv")]
    lines = {"a": 3, "b": 1, "c": 0, "d": 0, "more/e": 0, "more/f": 0}
    (tmp_path / "l.csv").write_text("".join(f"{name},{label}\n" for name, label in lines.items()))
    assert evaluate(*labelled, *JUDGE) == 0
    log_p = {row["id"]: row["judge_log_probability"] for row in RunFolder(tmp_path / "run").rows()}
    assert set(log_p) == {"a", "b"}
    (tmp_path / "l.csv").write_text("".join(f"{name},{label + 1}\n" for name, label in lines.items()))
    assert evaluate(*labelled, into="other") == 2
    assert "a has the class 4, and ToyClassifier the classes 0 to 3" in capsys.readouterr().err
    assert evaluate(*TASK, "--model.task.target", "label", into="none") == 2
    assert "label" in capsys.readouterr().err.strip().splitlines()[-1]


def test_the_classifier_is_frozen_in_evaluation_mode_and_moves_with_the_module():
    task = ClassLabel(nn.Sequential(ToyClassifier().train(), nn.Dropout()))
    module = GuidedDiffusion(Toy(16), task, DPS(), DDIM(), steps=5)
    assert not any(layer.training for layer in task.classifier.modules())
    assert not any(p.requires_grad for p in task.classifier.parameters())
    assert task.classifier in list(module.task_networks)
    module.to(torch.bfloat16)
    measurement = task.measure(Examples(images(2)), streams("ab"))
    assert task.loss(images(2), measurement).dtype == torch.float32


def test_guidance_makes_the_class_more_probable():
    task, probability = ClassLabel(ToyClassifier()), []
    for guidance in (Unguided(), DPS(0.5)):
        sampler = Sampler(Toy(16), task, guidance, DDIM(), 20)
        process = sampler.begin(Examples(images(8)), streams("abcdefgh"))
        *_, record = sampler.run(process)
        probability.append((-task.loss(record.x_prev, process.measurement)).exp().mean())
    assert probability[1] > 2 * probability[0]


def test_the_picture_is_a_card_that_tells_classes_apart():
    task = ClassLabel(ToyClassifier())
    cards = task.picture(task.measure(Examples(images(40)), streams([f"image{i}" for i in range(40)])))
    assert cards.shape == (40, 3, 64, 64)
    assert len(cards.flatten(1).unique(dim=0)) == 4


class Wrong(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x)


@pytest.mark.parametrize(
    ("classifier", "words"),
    [
        (nn.Linear(5, 4), r"Linear cannot take images of shape \(3, 16, 16\) .*take a classifier of such images"),
        (Wrong(lambda x: x), r"two images with logits \(2, number of classes\), got \(2, 3, 16, 16\)"),
        (Wrong(lambda x: (x, x)), "got tuple; wrap it"),
        (Wrong(lambda x: x.flatten(1)[:, :1]), r"got \(2, 1\)"),
        (ToyClassifier(answer=float("nan")), "ToyClassifier answers a grey image with numbers that are not finite"),
    ],
    ids=["shape", "maps", "tuple", "one logit", "nan"],
)
def test_a_classifier_that_does_not_fit_is_refused_before_the_first_sample(classifier, words):
    with pytest.raises(UserError, match=f"^task.classifier: .*{words}"):
        ClassLabel(classifier).check(SHAPE)


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match=r"^task.target: ToyClassifier has the classes 0 to 3, got 4$"):
        ClassLabel(ToyClassifier(), target=4).check(SHAPE)
    with pytest.raises(UserError, match=r"^target: must be a class, 0 or above, drawn, or label, got -1$"):
        ClassLabel(ToyClassifier(), target=-1)


def test_the_portraits_classifier_refuses_images_of_another_size():
    with pytest.raises(UserError, match=r"^task.classifier: PortraitsClassifier: needs images of shape \(3, 64, 64\)"):
        ClassLabel().check(SHAPE)


def test_a_judge_adds_its_columns_and_their_means(evaluate, tmp_path):
    assert evaluate(*TASK, *JUDGE, "--data.samples_per_image", 2, "--writer.save_measurements", "true") == 0
    with (tmp_path / "run" / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    folder = RunFolder(tmp_path / "run")
    for row in rows:
        # judge and guide agree here, and the 8-bit picture is almost the sample
        assert float(row["judge_probability"]) == pytest.approx(math.exp(-float(row["loss"])), abs=0.05)
        with Image.open(folder.picture_path("samples", row["id"], int(row["sample"]))) as picture:
            pixels = torch.from_numpy(np.asarray(picture)).permute(2, 0, 1)[None] / 127.5 - 1
        probabilities = softmax(ToyClassifier(answer=1.0)(pixels).detach().double().numpy()[0])
        asked = load_file(folder.picture_path("measurements", row["id"], 0, ".safetensors"))["y"].item()
        assert float(row["judge_probability"]) == pytest.approx(probabilities[asked], rel=1e-4)
        assert float(row["judge_log_probability"]) == pytest.approx(math.log(probabilities[asked]), rel=1e-4)
        assert float(row["judge_reciprocal"]) == pytest.approx(1 / probabilities[asked], rel=1e-4)
        assert int(row["judge_correct"]) == (probabilities.argmax() == asked)
        assert float(row["judge_confidence"]) == pytest.approx(probabilities.max(), rel=1e-4)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    assert metrics["judge_correct"]["mean"] == pytest.approx(sum(int(row["judge_correct"]) for row in rows) / 12)


def test_a_judge_without_classes_to_judge_by_is_refused(evaluate, capsys):
    assert evaluate(*JUDGE) == 2
    assert (
        "callbacks.classification.judge: RandomInpainting asks for no class and the data has no labels"
        in capsys.readouterr().err
    )


def test_a_judge_of_other_classes_is_refused(evaluate, capsys):
    assert evaluate(*TASK, *JUDGE, "--callbacks.classification.judge.classes", 3) == 2
    assert "callbacks.classification.judge: it knows 3 classes and there are 4" in capsys.readouterr().err


def test_labels_of_the_data_are_judged_where_the_task_asks_for_no_class(evaluate, tmp_path, image_folder):
    labels = tmp_path / "labels.csv"
    labels.write_text("".join(f"{name},1\n" for name in ["a", "b", "c", "d", "more/e", "more/f"]))
    options = ["--model.score_model.class_path", "tests.toy_faults.Conditional", "--data.labels", labels, *JUDGE]
    assert evaluate(*options) == 0
    assert "judge_probability" in (tmp_path / "run" / "per_image.csv").read_text().splitlines()[0]
