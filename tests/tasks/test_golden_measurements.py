"""The measurements recorded from the official code are A x plus white noise of standard deviation 0.05."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from dsg.diffusion.noise import NoiseStreams, SampleKey
from tasks import GaussianDeblurring, SuperResolution
from tasks.operators.mask import Mask

GOLDEN = Path(__file__).parents[1] / "data" / "golden"


def residual(name: str) -> torch.Tensor:
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        recorded = {key: file.get_tensor(key) for key in ("x0", "y", "mask") if key in file.keys()}  # noqa: SIM118
    x, y = recorded["x0"], recorded["y"]
    streams = NoiseStreams([SampleKey(0, str(i)) for i in range(len(x))])
    if "mask" in recorded:
        return y - Mask(recorded["mask"]).forward(x)
    task = SuperResolution(4) if "super_resolution" in name else GaussianDeblurring(61, 3.0)
    return y - task.operator(tuple(x.shape[1:]), streams).forward(x)


@pytest.mark.parametrize(
    "name",
    [
        "dps_inpainting_ddim10",
        "dsg_inpainting_ddim10",
        "dps_super_resolution_ddpm10",
        "dsg_super_resolution_ddim10_interval3",
        "dsg_gaussian_blur_ddim10",
    ],
)
def test_what_the_operator_does_not_explain_is_white_noise(name):
    noise = residual(name) / 0.05
    error = noise.numel() ** -0.5
    assert noise.std().item() == pytest.approx(1, abs=4 * error / 2**0.5)
    assert abs(noise.mean().item()) < 4 * error
    for dim in (-2, -1):
        neighbours = noise.narrow(dim, 1, noise.shape[dim] - 1) * noise.narrow(dim, 0, noise.shape[dim] - 1)
        assert abs(neighbours.mean().item()) < 4 * neighbours.numel() ** -0.5
