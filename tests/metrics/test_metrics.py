"""Metrics say of each image what they say of it alone."""

from __future__ import annotations

import math

import pytest
import torch

from dsg.errors import UserError
from dsg.metrics.image import psnr, ssim
from dsg.metrics.perceptual import BACKBONES, load_lpips

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*'pretrained' is deprecated", "ignore:Arguments other than a weight enum"
)


def images(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def test_psnr_is_of_each_image_and_not_pooled_over_the_batch():
    reference = images(2)
    sample = reference.clone()
    sample[0] += 0.1
    sample[1] += 0.01
    assert psnr(sample, reference).tolist() == pytest.approx([20.0, 40.0], abs=1e-3)


def test_psnr_of_equal_images_is_infinite():
    assert psnr(images(1), images(1)).tolist() == [math.inf]


def test_ssim_of_an_image_is_independent_of_its_batch():
    reference = images(4)
    sample = (reference + 0.2 * torch.randn(reference.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    sample[3] = 0.01 * sample[3]
    together = ssim(sample, reference)
    alone = torch.cat([ssim(sample[i : i + 1], reference[i : i + 1]) for i in range(4)])
    assert together.shape == (4,)
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    torch.testing.assert_close(ssim(reference, reference), torch.ones(4))


def write_backbone(net: str, folder, seed: int = 0):
    """A random network under torchvision's names; of its weights LPIPS takes the `features`."""
    import torchvision

    builder = {"vgg": "vgg16", "alex": "alexnet", "squeeze": "squeezenet1_1"}[net]
    with torch.device("meta"):
        network = getattr(torchvision.models, builder)(weights=None)
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: torch.randn(value.shape, generator=generator) / max(value[0].numel() if value.ndim else 1, 1) ** 0.5
        for name, value in network.state_dict().items()
        if name.startswith("features.")
    }
    torch.save(weights, folder / BACKBONES[net])
    return weights


@pytest.mark.parametrize("net", ["squeeze", "alex"])
def test_lpips_with_a_backbone_from_a_file_is_the_lpips_packages(tmp_path, net):
    import lpips

    weights = write_backbone(net, tmp_path)
    package = lpips.LPIPS(net=net, pnet_rand=True, verbose=False).eval()
    own = package.net.state_dict()
    package.net.load_state_dict({name: weights["features." + name.split(".", 1)[1]] for name in own})
    sample, reference = images(2, 64, 1) * 2 - 1, images(2, 64, 2) * 2 - 1
    ours = load_lpips(net, tmp_path, check_hash=False)
    torch.testing.assert_close(ours(sample, reference), package(sample, reference).flatten().detach())
    assert ours(sample, reference).min() > 0


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
