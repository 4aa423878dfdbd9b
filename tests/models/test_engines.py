"""Engines run a network in different ways: the same function, forward and backward."""

from __future__ import annotations

import pickle
import weakref

import pytest
import torch
import yaml
from torch import nn

from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.adm import ADM
from dsg.models.engines import Compiled, Engine, Fused, Plain, engines_of
from dsg.models.engines.scaled import LARGEST, ScaledBackward
from dsg.models.fused import fuse
from dsg.models.network import NetworkModel
from dsg.models.portraits.model import Portraits

TINY = {"image_size": 16, "num_channels": 32, "channel_mult": "1,2", "attention_resolutions": "8"}
# an engine joins by a line: how far it may be from the network in float32
ENGINES: list[tuple[Engine, float]] = [
    (Plain(), 0.0),
    (Plain(channels_last=True), 1e-5),
    (Compiled(backend="eager"), 1e-6),
    (Fused(precision="float32"), 1e-5),
    (Fused(precision="bfloat16"), 0.05),
]
LEVEL = NoiseLevel.from_alpha_bar(500.0, 0.3)


class Convolution(nn.Conv2d):
    """A network of one layer."""

    def __init__(self) -> None:
        super().__init__(3, 3, 3, padding=1)

    def forward(self, x, t):
        return super().forward(x)


def model_with(engine, **options):
    torch.manual_seed(0)
    return ADM.random(engine=engine, **TINY | options)


def predicted(model, autocast=False):
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1)).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        epsilon = model(x, LEVEL).epsilon
    (gradient,) = torch.autograd.grad(epsilon.square().sum(), x)
    assert epsilon.dtype == gradient.dtype == torch.float32
    return torch.stack([epsilon.detach(), gradient])


@pytest.mark.parametrize(("engine", "tolerance"), ENGINES, ids=lambda e: type(e).__name__)
def test_an_engine_changes_neither_the_answer_nor_the_gradient_nor_the_names_of_weights(engine, tolerance):
    expected, model = model_with(None), model_with(engine)
    assert list(model.state_dict()) == list(expected.state_dict())
    found, reference = predicted(model), predicted(expected)
    assert ((found - reference).flatten(1).norm(dim=1) <= tolerance * reference.flatten(1).norm(dim=1)).all()
    again = predicted(pickle.loads(pickle.dumps(model)))  # as processes that are started from nothing get it
    assert torch.equal(again, found)


def test_a_batch_of_another_size_and_a_state_without_gradient_are_answered_too():
    model = model_with(Fused(precision="float32"))
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, part = model(x, LEVEL).epsilon, model(x[:1], LEVEL).epsilon
    torch.testing.assert_close(part, whole[:1], atol=1e-5, rtol=0)


def test_the_engines_precision_holds_whatever_the_trainers_autocast_says():
    model = model_with(Fused(precision="float32"))
    assert torch.equal(predicted(model, autocast=True), predicted(model))


def test_a_network_of_unknown_blocks_runs_as_it_is_and_that_is_said():
    network = Convolution()
    told = NetworkModel(network, (3, 16, 16), engine=Fused(precision="float32"))
    plain = NetworkModel(network, (3, 16, 16))
    (line,) = told.notes(frozenset(), False)
    assert line.startswith("engine: Fused does not know ")
    assert line.endswith("; the network runs as it is")
    assert torch.equal(predicted(told), predicted(plain))
    assert list(model_with(Fused()).notes(frozenset(), False)) == []


def test_a_precision_that_the_device_lacks_and_weights_that_are_rounded_already_are_refused():
    with pytest.raises(UserError, match=r"engine: Fused.precision float16 is of a GPU; set bfloat16"):
        predicted(model_with(Fused(precision="float16")))
    rounded = model_with(Fused(precision="float32")).to(torch.bfloat16)
    with pytest.raises(UserError, match=r"needs weights of float32, found torch.bfloat16; set trainer.precision to"):
        rounded(torch.zeros(1, 3, 16, 16), LEVEL)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": True, "cpu_name": "Intel Xeon"}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False, "cpu_name": "Intel Xeon"}, torch.float32),
        ({"avx512_bf16": True, "amx_bf16": False, "cpu_name": "AMD EPYC 9654"}, torch.bfloat16),
        ({"avx512_bf16": True}, torch.bfloat16),  # of a version of torch that does not name it
        ({}, torch.float32),
    ],
)
def test_auto_is_bfloat16_on_a_cpu_that_multiplies_it_faster_alone(monkeypatch, told, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert Fused().dtype_on(torch.device("cpu")) == expected


class Half(torch.autograd.Function):
    """x ↦ x, whose backward is in float16 and multiplies by `factor` on the way."""

    factor = 1.0

    @staticmethod
    def forward(ctx, x):
        return x.half()

    @staticmethod
    def backward(ctx, gradient):  # pyright: ignore[reportIncompatibleMethodOverride]
        assert gradient.dtype == torch.float16
        return ((gradient * Half.factor) / Half.factor).float()


@pytest.mark.parametrize(("factor", "overflows"), [(1.0, 0), (2.0**12, 1), (2.0**20, 2)])
def test_gradients_of_any_size_pass_through_float16_and_what_overflows_is_computed_again(
    monkeypatch, factor, overflows
):
    monkeypatch.setattr(Half, "factor", factor)
    scaled = ScaledBackward()
    scaled.active = True
    sizes = torch.tensor([1e-37, 1.0, 1e20, 0.0])  # float16 holds neither the first nor the third
    x = torch.randn(4, 50, generator=torch.Generator().manual_seed(0)).requires_grad_()
    answer = scaled(lambda x: Half.apply(x), x)
    assert answer.dtype == torch.float32
    weights = sizes[:, None] * (1 + torch.rand(4, 50, generator=torch.Generator().manual_seed(1)))
    (gradient,) = torch.autograd.grad((answer * weights).sum(), x)
    torch.testing.assert_close(gradient, weights, rtol=1e-3, atol=0)  # the digits of float16
    assert scaled.overflows == overflows
    assert LARGEST + 12 > 16


@pytest.mark.parametrize("t", [50.0, 950.0])
def test_float16_is_as_near_to_float32_as_a_gpus_tf32_is_in_the_answer_and_in_the_gradient(t):
    network, scaled = Portraits().network, ScaledBackward()
    fused, scaled.active = fuse(network, torch.float16), True
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 3, 16, 16, generator=generator).requires_grad_()  # its blocks take pictures of any size
    weights = 1e-9 * torch.randn(x.shape, generator=generator)  # where float16 ends
    told = (torch.tensor([t]), torch.tensor([3]))
    exact, found = network(x, *told), scaled(lambda x: fused(x, *told), x)
    assert (found - exact).norm() < 2.5e-3 * exact.norm()
    expected, gradient = (torch.autograd.grad((answer * weights).sum(), x)[0] for answer in (exact, found))
    assert (gradient - expected).norm() < 5e-3 * expected.norm()


def test_what_a_pass_keeps_for_its_backward_is_given_back_with_it():
    scaled = ScaledBackward()
    scaled.active, kept = True, []

    def function(x):
        y = Half.apply(x)
        kept.append(weakref.ref(y.grad_fn))
        return y

    x = torch.ones(2, 3, requires_grad=True)
    answer = scaled(function, x)
    assert kept[0]() is not None
    assert torch.autograd.grad(answer.sum(), x)[0].tolist() == [[1.0] * 3] * 2
    assert kept[0]() is None, "while the answer is still there"


def test_a_gradient_that_is_not_finite_stays_so_and_leaves_the_other_samples_alone():
    scaled = ScaledBackward()
    scaled.active = True
    x = torch.ones(2, 3, requires_grad=True)
    weights = torch.tensor([[1.0, torch.inf, 1.0], [2.0, 2.0, 2.0]])
    (gradient,) = torch.autograd.grad((scaled(lambda x: Half.apply(x), x) * weights).sum(), x)
    assert not gradient[0].isfinite().all()
    assert gradient[1].tolist() == [2.0, 2.0, 2.0]
    assert scaled.overflows == 0


class Cube(nn.Module):
    """x ↦ w x³ + label, which float16 holds up to x = 40."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, x, times, labels):
        return self.weight.to(x.dtype) * x**3 + labels[:, None].to(x.dtype)


def test_what_overflows_on_the_way_forward_in_float16_is_asked_in_float32_and_leaves_the_others_alone(monkeypatch):
    engine, network, labels = Fused(), Cube(), torch.tensor([1, 2, 3, 4])
    engine.scaled.active = True
    monkeypatch.setattr(engine, "_call_for", lambda network, device: lambda x, *told: network(x.half(), *told))

    def answers(x):
        x = x.clone().requires_grad_()
        answer = engine.run(network, x, torch.zeros(4), labels)
        return answer.detach(), torch.autograd.grad(answer.sin().sum(), x)[0]

    x = torch.rand(4, 5, generator=torch.Generator().manual_seed(0))
    before = answers(x)
    assert engine.forward_overflows == 0
    x[1, 2], x[3, 0] = 50.0, torch.nan  # nothing can be asked of the second
    answer, gradient = answers(x)
    assert torch.equal(answer[1], x[1] ** 3 + 2)
    torch.testing.assert_close(gradient[1], (x[1] ** 3 + 2).cos() * 3 * x[1] ** 2)
    assert torch.equal(answer[::2], before[0][::2])
    assert torch.equal(gradient[::2], before[1][::2])
    assert (engine.forward_overflows, engine.scaled.overflows) == (1, 0)


def test_what_an_engine_made_can_be_let_go_of_and_it_says_what_it_did():
    model = model_with(Fused(precision="bfloat16"))
    (engine,) = engines_of(torch.nn.Sequential(model))
    assert engine.summary() == {}
    before = predicted(model)
    assert engine.summary() == {"engine_precision": "bfloat16", "overflows": 0, "forward_overflows": 0}
    engine.forget()
    assert engine.summary() == {}
    assert torch.equal(predicted(model), before)


def test_the_command_line_takes_an_engine_and_says_what_it_does_not_know(evaluate, settings, capsys):
    content = yaml.safe_load(settings.read_text())
    content["model"]["score_model"] = {
        "class_path": "dsg.models.network.NetworkModel",
        "init_args": {
            "network": {"class_path": f"{__name__}.Convolution"},
            "shape": [3, 16, 16],
            "engine": {"class_path": "dsg.models.engines.Fused", "init_args": {"precision": "float32"}},
        },
    }
    settings.write_text(yaml.safe_dump(content))
    assert evaluate("--data.limit", 1) == 0
    assert "engine: Fused does not know Convolution; the network runs as it is" in capsys.readouterr().err
