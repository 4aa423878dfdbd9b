"""The packaged classifiers know the portraits' classes, and mean the probabilities that they state."""

from __future__ import annotations

import json
from argparse import Namespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.portraits import train_classifier
from benchmarks.portraits.augment import SHIFT, augment
from benchmarks.portraits.calibration import best_temperature
from dsg.data.portraits import HELD_OUT_START, render
from dsg.errors import UserError
from dsg.metrics.calibration import Judged
from dsg.models.portraits.classifier import FEATURES, PortraitsClassifier, weights

ROLES = ("guide", "judge")
ACCURACY = {"guide": 0.87, "judge": 0.91}  # on the 200 pictures below; the evaluations' figures are of 4000 others
every_role = pytest.mark.parametrize("role", ROLES)


@pytest.fixture(scope="module")
def held_out():
    portraits = [render(HELD_OUT_START + 300_000 + k) for k in range(200)]
    return torch.from_numpy(np.stack([p.image for p in portraits])), torch.tensor([p.label for p in portraits])


@every_role
def test_it_tells_the_classes_of_pictures_that_it_has_never_seen(role, held_out):
    images, labels = held_out
    right = PortraitsClassifier(role)(images).argmax(dim=1) == labels
    assert right.float().mean() > ACCURACY[role]


@every_role
def test_it_means_the_probabilities_that_it_states(role, held_out):
    images, labels = held_out
    probabilities = PortraitsClassifier(role)(images).softmax(dim=1)
    confidence, accuracy = probabilities.amax(dim=1).mean(), (probabilities.argmax(dim=1) == labels).float().mean()
    assert abs(confidence - accuracy) < 0.04
    evaluation = json.loads(weights(role).with_suffix(".json").read_text())
    assert evaluation["expected_calibration_error"] < 0.02


@every_role
def test_loading_gives_the_same_frozen_small_network_each_time(role, held_out):
    images = held_out[0][:4]
    first, again = PortraitsClassifier(role), PortraitsClassifier(role)
    assert torch.equal(first(images), again(images))
    assert not any(layer.training for layer in first.modules())
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in first.parameters())
    assert weights(role).stat().st_size <= 1e6
    assert {tensor.dtype for tensor in load_file(weights(role)).values()} == {torch.float16}


@every_role
def test_the_logits_are_linear_in_64_features(role, held_out):
    network, images = PortraitsClassifier(role), held_out[0][:4]
    features = network.features(images)
    assert features.shape == (4, FEATURES)
    torch.testing.assert_close(network(images), features @ network.head.weight.T + network.head.bias)


@every_role
def test_a_sample_s_logits_do_not_depend_on_its_neighbours(role, held_out):
    network, images = PortraitsClassifier(role), held_out[0][:6]
    torch.testing.assert_close(network(images)[2:3], network(images[2:3]), atol=1e-4, rtol=1e-4)


def test_the_guide_still_reads_soft_and_noisy_pictures(held_out):
    images, labels = held_out
    soft = torch.nn.functional.interpolate(images, (20, 20), mode="bilinear", antialias=True)
    soft = torch.nn.functional.interpolate(soft, (64, 64), mode="bilinear")
    soft = soft + 0.1 * torch.randn(soft.shape, generator=torch.Generator().manual_seed(0))
    right = PortraitsClassifier("guide")(soft).argmax(dim=1) == labels
    assert right.float().mean() > 0.6


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"^role: must be guide or judge, got 'jury'$"):
        PortraitsClassifier("jury")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"no such file"):
        PortraitsClassifier("judge", str(tmp_path / "none.safetensors"))
    with pytest.raises(UserError, match=r"does not fit the network's options"):
        PortraitsClassifier("judge", str(weights("guide")))
    with pytest.raises(UserError, match=r"needs images of shape \(3, 64, 64\), got \(3, 32, 32\)"):
        PortraitsClassifier("judge")(torch.zeros(1, 3, 32, 32))


def test_augmented_pictures_depend_on_the_generator_alone_and_some_are_only_moved(held_out):
    images = held_out[0][:60]
    first, again = (augment(images, torch.Generator().manual_seed(3), 8, 0.4) for _ in range(2))
    assert torch.equal(first, again)

    def is_moved(picture, image):
        padded = torch.nn.functional.pad(image[None], (SHIFT,) * 4, mode="replicate")[0]
        windows = [padded[:, i : i + 64, j : j + 64] for i in range(2 * SHIFT + 1) for j in range(2 * SHIFT + 1)]
        return any(torch.equal(picture, w) or torch.equal(picture, w.flip(-1)) for w in windows)

    assert 10 < sum(map(is_moved, first, images)) < 30


def test_the_temperature_of_overconfident_logits_is_found():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5000, 8, generator=generator)
    labels = logits.softmax(dim=1).multinomial(1, generator=generator).flatten()
    assert best_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)
    assert Judged.of_logits(logits, labels).calibration_error < 0.03
    assert Judged.of_logits(3 * logits, labels).calibration_error > 0.2


def noise_pictures(first, count):
    generator = torch.Generator().manual_seed(first)
    images = torch.randint(256, (count, 3, 64, 64), generator=generator, dtype=torch.uint8)
    return images, torch.randint(8, (count,), generator=generator)


def test_a_training_that_was_interrupted_ends_with_the_same_weights(tmp_path, monkeypatch):
    def train(folder):
        options = {"role": "judge", "pictures": 80, "epochs": 2, "lr": 1e-3, "evaluation_pictures": 40}
        train_classifier.train(Namespace(out=tmp_path / folder, **options))
        return load_file(tmp_path / folder / "classifier_judge.safetensors")

    def interrupted(*given):
        if given[4] == 1:
            raise KeyboardInterrupt
        return epoch(*given)

    monkeypatch.setattr(train_classifier, "pictures", noise_pictures)
    whole, epoch = train("whole"), train_classifier.train_epoch
    monkeypatch.setattr(train_classifier, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train("torn")
    monkeypatch.setattr(train_classifier, "train_epoch", epoch)
    resumed = train("torn")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
