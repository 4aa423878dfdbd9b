"""The fused network on the device: its kernels, its precision, and its recorded graphs."""

from __future__ import annotations

import pytest
import torch

from dsg.diffusion.level import NoiseLevel
from dsg.models.adm import ADM
from dsg.models.engines import Fused
from dsg.models.fused.norm import norm_silu
from dsg.models.fused.operations import operations_for
from dsg.models.portraits.model import Portraits
from dsg.models.precision import full_float32

SMALL = {"image_size": 64, "num_channels": 64, "channel_mult": "1,2,2", "attention_resolutions": "16"}
LEVEL = NoiseLevel.from_alpha_bar(500.0, 0.3)
MODELS = {
    "adm": lambda engine: ADM.random(engine=engine, **SMALL),
    "portraits": lambda engine: Portraits(engine=engine),
}


def predicted(model, device, images=3):
    x = torch.randn(images, *model.shape, generator=torch.Generator().manual_seed(1)).to(device).requires_grad_()
    epsilon = model(x, LEVEL).epsilon
    weights = torch.linspace(-1, 1, epsilon.numel(), device=device).view_as(epsilon)
    (gradient,) = torch.autograd.grad((epsilon * weights).sum(), x)
    return epsilon.detach(), gradient


def made(name, engine, device):
    torch.manual_seed(0)
    return MODELS[name](engine).to(device)


def apart(found, expected):
    return [((one - other).norm() / other.norm()).item() for one, other in zip(found, expected, strict=True)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize(("channels", "first", "groups"), [(64, 64, 32), (96, 40, 16), (384, 256, 32)])
def test_the_devices_own_operations_give_the_plain_norm_and_its_gradient(device, dtype, channels, first, groups):
    generator = torch.Generator().manual_seed(0)
    widths = [first, channels - first] if first < channels else [first]
    parts = [2 + 3 * torch.randn(2, c, 48, 40, generator=generator) for c in widths]
    gain, shift, offset = (torch.randn(2, channels, generator=generator) for _ in range(3))

    def answers(call, dtype, device):
        maps = [p.to(device, dtype, memory_format=torch.channels_last).requires_grad_() for p in parts]
        y = call(tuple(maps), gain.to(device), shift.to(device), groups, 1e-5, offset.to(device), True)
        weights = torch.linspace(-1, 1, y.numel(), device=device).view_as(y)
        return [y.detach().cpu(), *(g.cpu() for g in torch.autograd.grad((y * weights).sum(), maps))]

    kind = torch.empty(0, device=device)
    if device.type == "cpu" and dtype == torch.float16:
        dtype = torch.bfloat16
    exact = answers(norm_silu, torch.float32, "cpu")
    found = answers(operations_for(kind).norm_silu, dtype, device)
    assert max(apart(found, exact)) < {torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}[dtype]


@pytest.mark.parametrize("name", MODELS)
def test_half_precision_is_as_near_to_float32_as_tf32_is(gpu, name):
    with full_float32():
        expected = predicted(made(name, None, gpu), gpu)
    epsilon, gradient = apart(predicted(made(name, Fused(graphs=False), gpu), gpu), expected)
    assert epsilon < 2.5e-3
    assert gradient < 5e-3


@pytest.mark.parametrize("name", MODELS)
def test_a_recorded_pass_answers_as_the_launched_one_whatever_batch_came_before(gpu, name):
    launched, recorded = made(name, Fused(graphs=False), gpu), made(name, Fused(graphs=True), gpu)
    for images in (3, 3, 3, 2, 3, 3):
        assert max(apart(predicted(recorded, gpu, images), predicted(launched, gpu, images))) < 1e-3
    with torch.no_grad():
        x = torch.randn(3, *launched.shape, device=gpu)
        assert max(apart([recorded(x, LEVEL).epsilon], [launched(x, LEVEL).epsilon])) < 1e-3


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_two_passes_before_one_backward_keep_their_own_activations(gpu, precision):
    launched = made("adm", Fused(precision, graphs=False), gpu)
    recorded = made("adm", Fused(precision, graphs=True), gpu)

    def both(model):
        x = torch.randn(2, *model.shape, generator=torch.Generator().manual_seed(1)).to(gpu).requires_grad_()
        first, second = model(x, LEVEL).epsilon, model(2 * x, LEVEL).epsilon
        (gradient,) = torch.autograd.grad((3 * first - 2 * second).square().sum(), x)
        return first.detach(), second.detach(), gradient

    for _ in range(4):  # the second is recorded, those after it are replayed
        assert max(apart(both(recorded), both(launched))) < 1e-3


def test_an_evaluation_with_the_fused_engine_has_the_pictures_of_the_plain_one(evaluate_on, gpu):
    engine = ("--model.score_model", "dsg.models.portraits.model.Portraits", "--data.image_size", 64)
    fused = ("--model.score_model.init_args.engine", "dsg.models.engines.Fused")
    plain, quick = evaluate_on(*engine), evaluate_on(*engine, *fused, into="fused")
    for one, other in zip(plain[0], quick[0], strict=True):
        assert abs(float(one["psnr"]) - float(other["psnr"])) < 0.3
