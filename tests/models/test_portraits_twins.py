"""The packaged twins see in unseen portraits what is true of them, and guide and judge share no weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tasks
from dsg.data.examples import VARIATION, Examples
from dsg.data.portraits import HELD_OUT_START, SEGMENTS, caption, render
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.models.portraits import words
from dsg.models.portraits.identity import PortraitsIdentity
from dsg.models.portraits.image_text import PortraitsImageText
from dsg.models.portraits.landmarks import PortraitsLandmarks
from dsg.models.portraits.segmentation import PortraitsSegmentation
from dsg.models.weights import sha256

ROLES = ("guide", "judge")
TWINS = {
    PortraitsIdentity: (64,),
    PortraitsSegmentation: (len(SEGMENTS), 64, 64),
    PortraitsLandmarks: (18,),
    PortraitsImageText: (64,),
}
INDICES = [HELD_OUT_START + 320_000 + k for k in range(16)]
every_role = pytest.mark.parametrize("role", ROLES)
every_twin = pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.kind)


@pytest.fixture(scope="module")
def portraits():
    return [render(index) for index in INDICES]


@pytest.fixture(scope="module")
def images(portraits):
    return torch.from_numpy(np.stack([portrait.image for portrait in portraits]))


@every_role
@every_twin
def test_it_is_frozen_small_and_does_not_couple_pictures(twin, role, images):
    network = twin(role)
    assert not any(weight.requires_grad for weight in network.parameters())
    assert not any(layer.training for layer in network.modules())
    assert twin.weights_file(role).stat().st_size < 0.7e6
    weights = load_file(twin.weights_file(role))
    assert {tensor.dtype for name, tensor in weights.items() if "num_batches" not in name} == {torch.float16}
    together = network(images[:4])
    assert together.shape == (4, *TWINS[twin])
    assert together.dtype == torch.float32
    torch.testing.assert_close(network(images[2:3])[0], together[2], atol=1e-3, rtol=1e-3)


@every_role
@every_twin
def test_it_tells_the_hash_of_its_weights(twin, role):
    file = twin.weights_file(role)
    assert twin(role).weights == {file.name: f"sha256:{sha256(file)}"}


@every_twin
def test_guide_and_judge_have_other_layers_and_weights(twin):
    guide, judge = (load_file(twin.weights_file(role)) for role in ROLES)
    assert {name: w.shape for name, w in guide.items()} != {name: w.shape for name, w in judge.items()}
    with pytest.raises(UserError, match=r"does not fit the network's options"):
        twin("judge", str(twin.weights_file("guide")))


@every_twin
def test_the_guide_has_no_kinks_and_sends_a_gradient_to_every_picture(twin, images):
    guide = twin("guide")
    kinked = (torch.nn.ReLU, torch.nn.PReLU, torch.nn.MaxPool2d)
    assert not any(isinstance(layer, kinked) for layer in guide.modules())
    x = images[:3].clone().requires_grad_()
    features = guide(x)
    features.mul(torch.linspace(-1, 1, features[0].numel()).view_as(features[0])).sum().backward()
    assert x.grad is not None
    assert (x.grad.flatten(1).norm(dim=1) > 0).all()


def test_all_together_take_less_than_4_megabytes():
    assert sum(twin.weights_file(role).stat().st_size for twin in TWINS for role in ROLES) <= 4e6


@every_role
def test_the_nearest_face_of_another_variation_is_the_person_s(role, images):
    identity = PortraitsIdentity(role)
    others = torch.from_numpy(np.stack([render(index, variation=1).image for index in INDICES]))
    embedding = identity(images)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(16))
    alike = embedding @ identity(others).mT
    assert (alike.argmax(1) == torch.arange(16)).all()
    assert alike.diagonal().min() > 0.6


@every_role
def test_each_pixel_is_of_the_part_that_it_shows(role, portraits, images):
    found = PortraitsSegmentation(role)(images).argmax(1).numpy()
    truth = np.stack([portrait.segmentation for portrait in portraits])
    assert (found == truth).mean() > 0.94
    shares = [((found == k) & (truth == k)).sum() / ((found == k) | (truth == k)).sum() for k in range(len(SEGMENTS))]
    assert np.mean(shares) > 0.65


@every_role
def test_the_points_lie_near_the_true_ones(role, portraits, images):
    points = PortraitsLandmarks(role)(images).view(-1, 9, 2).numpy()
    off = np.linalg.norm(points - np.stack([portrait.landmarks for portrait in portraits]), axis=-1)
    assert off.mean() < 1.25


@every_role
def test_captions_are_nearest_to_their_own_portraits(role, images):
    network = PortraitsImageText(role)
    alike = network(images) @ network.text_features([caption(index).text for index in INDICES]).mT
    assert (alike.argmax(1) == torch.arange(16)).float().mean() > 0.6
    assert alike.diagonal().mean() > alike.mean() + 0.3


@every_role
def test_a_text_is_read_alike_alone_and_beside_longer_ones(role):
    network, texts = (
        PortraitsImageText(role),
        ["a person with red hair", "someone with a blue hat, smiling, in soft light"],
    )
    together = network.text_features(texts)
    torch.testing.assert_close(network.text_features(texts[:1])[0], together[0])
    torch.testing.assert_close(network.text_features(["A person, with RED hair!"])[0], together[0])


@every_role
def test_which_thing_a_colour_is_of_matters(role):
    first, second = PortraitsImageText(role).text_features(["a red hat and blue clothes", "a blue hat and red clothes"])
    assert first @ second < 0.95


def test_words_of_captions_have_numbers_and_others_share_one():
    rows = words.word_rows([caption(INDICES[0]).text, "a dragon with green hair"])
    assert words.UNKNOWN not in rows[0]
    assert rows[1].tolist().count(words.UNKNOWN) == 1
    assert rows.max() < words.count()


@every_twin
def test_a_recorded_quality_lies_beside_each_weight(twin):
    for role in ROLES:
        recorded = json.loads(twin.weights_file(role).with_suffix(".json").read_text())
        assert recorded["training"]["pictures"] > 0
        assert recorded["parameters"] == sum(weight.numel() for weight in twin(role).parameters())


@every_twin
def test_what_does_not_fit_is_refused(twin):
    with pytest.raises(UserError, match=r"^role: must be guide or judge, got 'jury'$"):
        twin("jury")
    with pytest.raises(UserError, match=r"no such file"):
        twin("judge", "none.safetensors")
    with pytest.raises(UserError, match=rf"{twin.__name__}: needs images of shape \(3, 64, 64\), got \(3, 32, 32\)"):
        twin("judge")(torch.zeros(1, 3, 32, 32))


def test_a_text_without_any_word_of_captions_is_refused():
    with pytest.raises(UserError, match=r"text: 'qwerty 12' has no word that the portraits' captions use"):
        PortraitsImageText("guide").text_features(["red hair", "qwerty 12"])


@every_role
def test_a_task_asks_for_the_person_of_another_picture(role, images):
    others = torch.from_numpy(np.stack([render(index, variation=1).image for index in INDICES[:3]]))
    task = tasks.Feature(PortraitsIdentity(role), reference=VARIATION)
    task.check((3, 64, 64))
    streams = NoiseStreams([SampleKey(0, str(index), 0) for index in INDICES[:3]])
    measurement = task.measure(Examples(images[:3], {VARIATION: others}), streams)
    assert (task.loss(images[:3], measurement) < task.loss(images[:3].roll(1, 0), measurement) - 0.3).all()
