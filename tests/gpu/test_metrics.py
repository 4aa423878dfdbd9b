"""LPIPS and the distances between sets are a CPU's, on whatever device the networks are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dsg.metrics.features import extract
from dsg.metrics.frechet import Moments, frechet_distance
from dsg.metrics.inception import Inception
from dsg.metrics.kernel import kernel_distance
from dsg.metrics.perceptual import load_lpips
from dsg.metrics.portraits import PortraitFeatures
from dsg.models.precision import full_float32
from tests.metrics.test_distribution import fake_inception, sha256  # noqa: F401 - a fixture
from tests.metrics.test_perceptual import images, write_backbone

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.*is deprecated", "ignore:.*'pretrained' is deprecated", "ignore:Arguments other than a weight"
)
CPU = torch.device("cpu")


@pytest.fixture
def pictures(tmp_path):
    """Twelve smooth 64x64 pictures, two sets of six."""
    files = []
    for i in range(12):
        coarse = np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(files[-1])
    return files[:6], files[6:]


@pytest.mark.parametrize("net", ["squeeze", "alex"])
def test_lpips_is_that_of_a_cpu(device, tmp_path, net):
    write_backbone(net, tmp_path)
    network = load_lpips(net, tmp_path, check_hash=False)
    sample, reference = images(4, 64, 1) * 2 - 1, images(4, 64, 2) * 2 - 1
    expected = network(sample, reference)
    with full_float32():
        there = network.to(device)(sample.to(device), reference.to(device)).cpu()
    torch.testing.assert_close(there, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["inception", "portraits"])
def test_features_are_those_of_a_cpu(device, pictures, fake_inception, kind):  # noqa: F811
    there, here = (_features(kind, fake_inception, pictures[0], where) for where in (device, CPU))
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-4)


def test_distances_between_sets_are_those_of_a_cpu(device, pictures, fake_inception):  # noqa: F811
    def distances(where: torch.device) -> tuple[float, float]:
        sets = [_features("portraits", fake_inception, files, where) for files in pictures]
        moments = [Moments(features.shape[1]) for features in sets]
        for gathered, features in zip(moments, sets, strict=True):
            gathered.add(features)
        return frechet_distance(*(m.statistics() for m in moments)), kernel_distance(*sets)

    there, here = distances(device), distances(CPU)
    assert there[0] == pytest.approx(here[0], rel=2e-3)
    assert there[1] == pytest.approx(here[1], rel=5e-3, abs=1e-5)


def _features(kind: str, inception: Path, files: list[Path], device: torch.device) -> torch.Tensor:
    network = Inception(inception, sha256(inception)) if kind == "inception" else PortraitFeatures()
    return torch.cat(list(extract(network, files, device, batch_size=4)))
