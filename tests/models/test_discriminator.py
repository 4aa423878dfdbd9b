"""The portraits' discriminator: the guide's trunk told the noise level, its weights, and one step of its training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.portraits.train_discriminator import (
    TRAINING_START,
    cross_entropy,
    made_pictures,
    main,
    refined,
    untrained,
)
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.models.portraits.classifier import PortraitsClassifier
from dsg.models.portraits.discriminator import NoisyTrunk, PortraitsDiscriminator
from dsg.models.portraits.network import save_weights

X = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
LEVEL, NOISIER = NoiseSchedule().level(300), NoiseSchedule().level(800)


def told(network: NoisyTrunk) -> NoisyTrunk:
    """The same with modulations and a head that are not 0."""
    generator = torch.Generator().manual_seed(1)
    for layer in (*network.modulations, network.head):
        layer.weight.data = 0.1 * torch.randn(layer.weight.shape, generator=generator)
    return network


def test_until_it_is_trained_its_features_are_the_guide_s_and_its_logit_says_nothing():
    network, features = untrained().eval(), []
    network.head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    assert torch.equal(network(X, torch.zeros(2)), torch.zeros(2))
    torch.testing.assert_close(features[0], PortraitsClassifier("guide").features(X))


def test_what_is_saved_is_loaded_frozen_and_hears_the_level(tmp_path):
    network, file = told(untrained()), tmp_path / "discriminator.safetensors"
    save_weights(network.state_dict(), file)
    assert file.stat().st_size < 1_000_000
    discriminator = PortraitsDiscriminator(str(file))
    assert discriminator.weights.keys() == {"discriminator.safetensors"}
    assert not any(p.requires_grad for p in discriminator.parameters())
    logits = discriminator.logit(X, LEVEL)
    torch.testing.assert_close(logits, network(X, torch.full((2,), LEVEL.log_snr)), rtol=2e-2, atol=2e-2)
    assert not torch.allclose(logits, discriminator.logit(X, NOISIER), atol=1e-3)
    alone = torch.cat([discriminator.logit(x[None], LEVEL) for x in X])
    torch.testing.assert_close(alone, logits)


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "other.safetensors"
    save_weights({"weight": torch.zeros(3)}, file)
    with pytest.raises(UserError, match="does not fit the network's options"):
        PortraitsDiscriminator(str(file))


def test_both_losses_are_least_where_they_should_be():
    class Linear(torch.nn.Module):
        """The logit a·Σx."""

        def __init__(self, a: float) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.tensor(a))

        def forward(self, x, log_snr):
            return self.a * x.flatten(1).sum(1)

    log_snr = torch.zeros(2)
    assert cross_entropy(Linear(0.0), X, X, log_snr).item() == pytest.approx(torch.tensor(2.0).log().item())
    assert cross_entropy(Linear(1.0), X + 1, X - 1, log_snr) < cross_entropy(Linear(0.0), X + 1, X - 1, log_snr)
    noise = torch.zeros_like(X)
    epsilon = noise + 0.5**0.5 * 0.3  # √(1−ā) ∇d of a = 0.3
    right, wrong = (refined(Linear(a), X, log_snr, epsilon, noise) for a in (0.3, 0.2))
    assert right.item() == pytest.approx(0.0, abs=1e-10)
    wrong.backward()
    assert wrong > 0


def test_a_training_of_two_steps_ends_with_weights_that_are_read(tmp_path):
    (tmp_path / "made").mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(np.full((64, 64, 3), 80, np.uint8)).save(tmp_path / "made" / f"{name}.png")
    (tmp_path / "pictures").mkdir()
    np.save(tmp_path / "pictures" / f"portraits_{TRAINING_START}_4.npy", np.zeros((4, 3, 64, 64), np.uint8))
    given = ["--made", f"{tmp_path}/made", "--out", f"{tmp_path}/out", "--pictures", f"{tmp_path}/pictures"]
    main([*given, "--count", "4", "--batch_size", "2", "--steps", "2", "--refined", "0.1", "--device", "cpu"])
    discriminator = PortraitsDiscriminator(f"{tmp_path}/out/discriminator.safetensors")
    assert discriminator.logit(X, LEVEL).isfinite().all()


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no pictures in"):
        made_pictures(tmp_path)
