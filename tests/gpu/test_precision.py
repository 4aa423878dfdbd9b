"""Half precision and TF32 are the network's alone: what guides and what measures is float32."""

from __future__ import annotations

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance import DPS, DSG, MPGD, UGD
from dsg.metrics.image import psnr, ssim
from dsg.models.precision import full_float32
from dsg.process.trace import StepRecord
from dsg.sampling import Sampler
from tasks import GaussianDeblurring, RandomInpainting, SuperResolution
from tests.contract.run import references
from tests.toy import Toy

METHODS = [DPS(1.0), DSG(guidance_rate=0.2), MPGD(1.0), UGD()]


def trajectory(guidance, device, dtype=None) -> list[StepRecord]:
    """Two images in six steps, the network in `dtype` by autocast."""
    sampler = Sampler(Toy(16).to(device), RandomInpainting(), guidance, steps=6)
    streams = NoiseStreams([SampleKey(0, name) for name in "ab"], device)
    with torch.autocast(device.type, dtype, enabled=dtype is not None):
        process = sampler.begin(Examples(references(2).to(device)), streams)
    return list(sampler.run(process))


@pytest.fixture(params=[torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def dtype(request) -> torch.dtype:
    return request.param


@pytest.mark.parametrize("guidance", METHODS, ids=lambda method: type(method).__name__)
def test_a_sample_under_autocast_is_near_that_of_float32(device, guidance, dtype):
    half, full = (trajectory(guidance, device, d)[-1].x_prev for d in (dtype, None))
    assert not torch.equal(half, full)  # the network was in half precision
    assert (half - full).abs().mean() < 0.02


@pytest.mark.parametrize("guidance", METHODS, ids=lambda method: type(method).__name__)
def test_states_losses_gradients_and_norms_are_float32_under_autocast(device, guidance, dtype):
    for record in trajectory(guidance, device, dtype):
        told = (record.x_prev, record.prediction.clean_estimate, record.loss, record.gradient, record.gradient_norm)
        assert {value.dtype for value in told if value is not None} == {torch.float32}


def test_a_whole_run_in_bf16_is_near_that_in_float32(evaluate_on):
    half, _, _ = evaluate_on("--trainer.precision", "bf16-mixed", into="half")
    full, _, _ = evaluate_on(into="full")
    for row, other in zip(half, full, strict=True):
        assert float(row["psnr"]) == pytest.approx(float(other["psnr"]), abs=1.0)


@pytest.fixture
def tf32():
    """TF32 is allowed wherever torch can take it."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before[1])
    torch.backends.cudnn.allow_tf32 = before[0]


def test_tf32_rounds_on_this_gpu(gpu, tf32):
    """Else the tests below would say nothing."""
    if torch.cuda.get_device_capability(gpu) < (8, 0):
        pytest.skip("GPUs before Ampere have no TF32")
    x = torch.randn(256, 256, device=gpu, generator=torch.Generator(gpu).manual_seed(0))
    rounded = x @ x
    with full_float32():
        exact = x @ x
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(exact.cpu(), x.cpu() @ x.cpu(), rtol=1e-4, atol=1e-3)


@pytest.mark.usefixtures("tf32")
def test_metrics_of_pictures_are_a_cpus_where_tf32_is_allowed(device):
    reference = (references(4).clamp(-1, 1) + 1) / 2
    sample = (reference + 0.02 * torch.randn(reference.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    for metric, digits in ((psnr, 1e-3), (ssim, 1e-5)):
        with full_float32():
            there = metric(sample.to(device), reference.to(device)).cpu()
        torch.testing.assert_close(there, metric(sample, reference), rtol=0, atol=digits)


@pytest.mark.usefixtures("tf32")
def test_the_metrics_of_a_run_are_of_full_float32_where_tf32_is_allowed(evaluate_on):
    allowed, pictures, _ = evaluate_on(into="allowed")
    expected, others, _ = evaluate_on(into="expected", on="cpu")
    same = [name for name in pictures if name.startswith("samples") and pictures[name] == others[name]]
    for row, other in zip(allowed, expected, strict=True):
        if f"samples/{row['id']}.png" in same:  # of equal pictures every digit has to be
            assert float(row["ssim"]) == pytest.approx(float(other["ssim"]), abs=1e-5)
        assert float(row["ssim"]) == pytest.approx(float(other["ssim"]), abs=0.02)


@pytest.mark.usefixtures("tf32")
def test_a_measurement_is_a_cpus_where_tf32_is_allowed(device):
    for task in (SuperResolution(2), GaussianDeblurring(kernel_size=5)):
        sampler = Sampler(Toy(16).to(device), task, DPS(1.0), steps=2)
        here = Sampler(Toy(16), task, DPS(1.0), steps=2)
        keys = [SampleKey(0, "a")]
        there = sampler.begin(Examples(references(1).to(device)), NoiseStreams(keys, device)).measurement.y.cpu()
        expected = here.begin(Examples(references(1)), NoiseStreams(keys)).measurement.y
        torch.testing.assert_close(there, expected, rtol=1e-5, atol=1e-5)
