"""The packaged portrait network: its weights load, it is small, and it does know the world it was trained on."""

import numpy as np
import pytest
import torch

from dsg.data.portraits import HELD_OUT_START, render
from dsg.models.portraits.network import ALPHA_BAR, NULL_CLASS, PREDICTION, WEIGHTS, build_network, load_network, sample


@pytest.fixture(scope="module")
def network():
    return load_network()


@pytest.fixture(scope="module")
def held_out():
    portraits = [render(HELD_OUT_START + k) for k in range(8)]
    return torch.from_numpy(np.stack([p.image for p in portraits])), torch.tensor([p.label for p in portraits])


def denoise(network, images, labels, t):
    """Noise the images to level t and return the noisy ones and the estimate of the clean ones."""
    share = float(ALPHA_BAR[t])
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    noisy = share**0.5 * images + (1 - share) ** 0.5 * noise
    with torch.no_grad():
        v = network(noisy, torch.full((len(images),), t), labels)
    return noisy, share**0.5 * noisy - (1 - share) ** 0.5 * v


def test_the_packaged_weights_are_small_and_frozen(network):
    assert WEIGHTS.stat().st_size <= 12e6
    assert sum(p.numel() for p in network.parameters()) <= 6e6
    assert not network.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(str(WEIGHTS))
    weights.pop(next(iter(weights)))
    save_file(weights, str(tmp_path / "w.safetensors"))
    with pytest.raises(RuntimeError, match="Missing key"):
        load_network(tmp_path / "w.safetensors")


@pytest.mark.parametrize(("t", "bound"), [(100, 0.004), (300, 0.02), (600, 0.09)])
def test_it_removes_noise_from_pictures_it_has_never_seen(network, held_out, t, bound):
    images, labels = held_out
    _, clean = denoise(network, images, labels, t)
    error = (clean - images).square().mean().item()
    assert PREDICTION == "v"
    assert error < bound < 0.6 * images.var().item()


def test_an_untrained_network_would_not_pass(held_out):
    torch.manual_seed(0)
    _, clean = denoise(build_network().eval(), *held_out, 300)
    assert (clean - held_out[0]).square().mean() > 0.05


def test_the_class_matters_and_so_does_its_absence(network, held_out):
    images, labels = held_out
    outputs = [denoise(network, images, torch.full_like(labels, c), 700)[1] for c in (0, 7, NULL_CLASS)]
    for first in range(3):
        for second in range(first):
            assert (outputs[first] - outputs[second]).abs().mean() > 0.005


def test_the_right_class_denoises_best(network, held_out):
    images, labels = held_out
    right, wrong = (denoise(network, images, c, 700)[1] for c in (labels, 7 - labels))
    assert (right - images).square().mean() < (wrong - images).square().mean()


def test_few_steps_already_give_pictures(network):
    noise = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    images = sample(network, noise, torch.tensor([0, 2, 5, NULL_CLASS]), steps=8)
    assert images.isfinite().all()
    assert images.abs().max() <= 1.0
    # Neighbouring pixels of a picture are alike; those of noise are not.
    assert (images[..., 1:] - images[..., :-1]).abs().mean() < 0.35 * images.std()
