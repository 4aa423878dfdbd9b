"""A sample of a GPU is that of a CPU up to rounding, whatever the batch that it is in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance import DAPS, DDNM, DPS, DSG, MPGD, TFG, UGD, DiffPIR, Guidance, PiGDM, REDDiff, Unguided
from dsg.sampling import Sampler
from tasks import GaussianNoise, RandomInpainting
from tests.contract.run import references
from tests.launch import Started, command, complete, journal
from tests.toy import Toy

METHODS = [
    Unguided(), DPS(1.0), DSG(guidance_rate=0.2), MPGD(1.0), UGD(), TFG(), DDNM(), PiGDM(), DiffPIR(), DAPS(), REDDiff()
]  # fmt: skip


def sample(guidance: Guidance, images: torch.Tensor, names: str, device) -> torch.Tensor:
    """(B,3,16,16), brought to the CPU."""
    sampler = Sampler(Toy(16).to(device), RandomInpainting(noise=GaussianNoise(0.05)), guidance, steps=8)
    streams = NoiseStreams([SampleKey(0, name) for name in names], device)
    *_, record = sampler.run(sampler.begin(Examples(images.to(device)), streams))
    assert record.x_prev.device.type == device.type
    return record.x_prev.cpu()


@pytest.mark.parametrize("guidance", METHODS, ids=lambda method: type(method).__name__)
def test_a_sample_is_that_of_a_cpu_up_to_rounding(device, guidance):
    images = references(2)
    expected = sample(guidance, images, "ab", torch.device("cpu"))
    torch.testing.assert_close(sample(guidance, images, "ab", device), expected, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("guidance", METHODS, ids=lambda method: type(method).__name__)
def test_a_sample_alone_is_that_of_a_batch_up_to_rounding(device, guidance):
    images = references(4)
    together = sample(guidance, images, "abcd", device)
    alone = torch.cat([sample(guidance, images[i : i + 1], "abcd"[i], device) for i in range(4)])
    torch.testing.assert_close(alone, together, rtol=1e-3, atol=2e-3)


def test_a_run_on_the_device_has_the_pictures_and_rows_of_one_on_a_cpu(evaluate_on, tmp_path):
    rows, pictures, _ = evaluate_on(into="there")
    expected_rows, expected, _ = evaluate_on(into="here", on="cpu")
    assert pictures.keys() == expected.keys()
    for name in expected:
        there, here = (np.asarray(Image.open(tmp_path / run / name)).astype(int) for run in ("there", "here"))
        assert np.abs(there - here).max() <= 1, name
    for row, other in zip(rows, expected_rows, strict=True):
        assert {n: row[n] for n in ("id", "sample", "nfe_forward", "nfe_backward", "status")} == {
            n: other[n] for n in ("id", "sample", "nfe_forward", "nfe_backward", "status")
        }
        assert float(row["psnr"]) == pytest.approx(float(other["psnr"]), abs=0.05)
        assert float(row["ssim"]) == pytest.approx(float(other["ssim"]), abs=2e-3)


@pytest.mark.usefixtures("two_gpus")
def test_two_gpus_give_the_results_of_one(settings, tmp_path, evaluate_on):
    one, _, _ = evaluate_on("--data.batch_size", 1, into="one")
    options = ("--data.batch_size", 1, "--trainer.accelerator", "gpu")
    complete(Started(command(settings, tmp_path / "two", *options, ranks=2)))
    two = {row["id"]: row for row in journal(tmp_path / "two")}
    assert sorted(two) == sorted(row["id"] for row in one)
    for row in one:
        assert two[row["id"]]["psnr"] == pytest.approx(float(row["psnr"]), abs=0.05)
