"""LPIPS is what the paper defines and the lpips package computes, of backbones that are read from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dsg.errors import UserError
from dsg.metrics.perceptual import BACKBONES, LEAST_SIDE, SHA256, load_lpips

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*'pretrained' is deprecated", "ignore:Arguments other than a weight enum"
)


BUILDERS = {"vgg": "vgg16", "alex": "alexnet", "squeeze": "squeezenet1_1"}  # of torchvision


def images(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def write_backbone(net: str, folder, seed: int = 0):
    """A random network under torchvision's names; of its weights LPIPS takes the `features`."""
    import torchvision

    with torch.device("meta"):
        network = getattr(torchvision.models, BUILDERS[net])(weights=None)
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: torch.randn(value.shape, generator=generator) / max(value[0].numel() if value.ndim else 1, 1) ** 0.5
        for name, value in network.state_dict().items()
        if name.startswith("features.")
    }
    torch.save(weights, folder / BACKBONES[net])
    return weights


LAYERS = {
    "vgg": (3, 8, 15, 22, 29),  # relu1_2, relu2_2, relu3_3, relu4_3, relu5_3
    "alex": (1, 4, 7, 9, 11),  # relu1 ... relu5
    "squeeze": (1, 4, 7, 9, 10, 11, 12),  # relu1, and the fire modules 3, 5, 6, 7, 8, 9
}
"""The layers of torchvision's `features` that are compared (Zhang et al. 2018, version 0.1)."""


def linear_layers(net: str) -> dict[str, torch.Tensor]:
    """w_l of every layer, as they ship with the lpips package."""
    import lpips

    file = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth"
    return torch.load(file, map_location="cpu", weights_only=True)


def lpips_by_hand(net: str, weights: dict[str, torch.Tensor], one: torch.Tensor, other: torch.Tensor) -> np.ndarray:
    """Σ_l mean over pixels of Σ_c w_lc (â_lc − b̂_lc)², with â, b̂ of length 1 over channels; (B,3,H,W) → (B,)."""
    import torchvision

    with torch.device("meta"):
        features = getattr(torchvision.models, BUILDERS[net])(weights=None).features
    features.load_state_dict({n.removeprefix("features."): v for n, v in weights.items()}, assign=True)
    linear = linear_layers(net)
    shift, scale = (np.array(v).reshape(1, 3, 1, 1) for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    states = [torch.from_numpy((image.numpy() - shift) / scale).float() for image in (one, other)]
    distance, found = np.zeros(len(one)), 0
    for index, layer in enumerate(features[: LAYERS[net][-1] + 1]):
        with torch.no_grad():
            states = [layer(state).clone() for state in states]
        if index in LAYERS[net]:
            a, b = (z / (np.sqrt((z**2).sum(1, keepdims=True)) + 1e-10) for z in (s.double().numpy() for s in states))
            distance += ((a - b) ** 2 * linear[f"lin{found}.model.1.weight"].double().numpy()).sum(1).mean((1, 2))
            found += 1
    assert found == len(LAYERS[net])
    return distance


@pytest.mark.parametrize("net", ["squeeze", "alex", "vgg"])
def test_lpips_with_a_backbone_from_a_file_is_the_definitions_and_the_lpips_packages(tmp_path, net):
    import lpips

    weights = write_backbone(net, tmp_path)
    sample, reference = images(2, 40, 1) * 2 - 1, images(2, 40, 2) * 2 - 1
    found = load_lpips(net, tmp_path, check_hash=False)(sample, reference)
    np.testing.assert_allclose(found.numpy(), lpips_by_hand(net, weights, sample, reference), rtol=1e-4)
    assert found.min() > 0.01
    if net == "vgg":  # the package draws its weights first, which takes seconds
        return
    package = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval()
    names = package.net.state_dict()
    package.net.load_state_dict({name: weights["features." + name.split(".", 1)[1]] for name in names})
    torch.testing.assert_close(found, package(sample, reference).flatten().detach())


@pytest.mark.parametrize("net", ["squeeze", "alex", "vgg"])
def test_a_picture_of_the_least_side_is_measured_and_one_pixel_less_is_not(net):
    import lpips

    with torch.device("meta"):  # shapes alone tell
        network = lpips.LPIPS(net=net, pnet_rand=True, pretrained=False, verbose=False).eval().to("meta")
        side = LEAST_SIDE[net]
        for height, width in ((side, 64), (64, side)):
            picture = torch.zeros(1, 3, height, width)
            assert network(picture, picture).shape == (1, 1, 1, 1)
        for height, width in ((side - 1, 64), (64, side - 1)):
            picture = torch.zeros(1, 3, height, width)
            with pytest.raises(RuntimeError, match=r"size|kernel"):
                network(picture, picture)


def test_lpips_of_one_channel_is_that_of_the_grey_repeated_over_three(tmp_path):
    write_backbone("squeeze", tmp_path)
    network = load_lpips("squeeze", tmp_path, check_hash=False)
    sample, reference = images(2, 32, 1)[:, :1] * 2 - 1, images(2, 32, 2)[:, :1] * 2 - 1
    assert network(sample, reference).min() > 0
    assert torch.equal(network(sample, reference), network(sample.repeat(1, 3, 1, 1), reference.repeat(1, 3, 1, 1)))


def test_lpips_of_equal_images_is_zero_and_of_each_image_alone(tmp_path):
    write_backbone("squeeze", tmp_path)
    network = load_lpips("squeeze", tmp_path, check_hash=False)
    sample, reference = images(2, 64, 1) * 2 - 1, images(2, 64, 2) * 2 - 1
    assert network(sample, sample).tolist() == [0.0, 0.0]
    alone = torch.cat([network(sample[i : i + 1], reference[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(network(sample, reference), alone)
    assert not any(p.requires_grad for p in network.parameters())


def test_a_missing_backbone_is_named_with_its_folder(tmp_path):
    with pytest.raises(UserError, match=rf"lpips_vgg: wants vgg16-397923af\.pth in {tmp_path}"):
        load_lpips("vgg", tmp_path)


def test_a_damaged_backbone_is_told_by_its_hash_before_it_is_read(tmp_path):
    (tmp_path / BACKBONES["alex"]).write_bytes(b"half a download")
    with pytest.raises(UserError, match=r"lpips_alex: .* is damaged: its SHA-256"):
        load_lpips("alex", tmp_path)


@pytest.mark.parametrize("net", BACKBONES)
def test_the_published_checksum_begins_with_the_digits_in_the_files_name(net):
    assert len(SHA256[net]) == 64
    assert SHA256[net].startswith(BACKBONES[net].removesuffix(".pth").rpartition("-")[2])


def test_a_file_that_is_no_checkpoint_is_an_error_of_the_input(tmp_path):
    (tmp_path / BACKBONES["alex"]).write_bytes(b"half a download")
    with pytest.raises(UserError, match="no checkpoint"):
        load_lpips("alex", tmp_path, check_hash=False)


def test_another_networks_weights_are_refused(tmp_path):
    write_backbone("squeeze", tmp_path)
    (tmp_path / BACKBONES["squeeze"]).rename(tmp_path / BACKBONES["alex"])
    with pytest.raises(UserError, match="does not hold the weights of torchvision's alex") as refusal:
        load_lpips("alex", tmp_path, check_hash=False)
    assert "\n" not in str(refusal.value)
