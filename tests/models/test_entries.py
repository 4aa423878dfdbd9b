"""Weights are found in what trainings leave in a file; of an average and what it averages, the average."""

import logging

import pytest
import torch
from torch import nn

from dsg.errors import UserError
from dsg.models.checkpoint import load_exactly
from dsg.models.network import NetworkModel
from tests.models.test_adm import GOLDEN, recorded


def network():
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 3))


def weights(value=1.0, prefix=""):
    return {f"{prefix}{name}": torch.full_like(tensor, value) for name, tensor in network().state_dict().items()}


def loaded(content, path):
    """The network's one value after loading what `content` holds, and what was told of it."""
    torch.save(content, path)
    target = network()
    told = load_exactly(target, path).hashes()
    values = {float(value) for tensor in target.state_dict().values() for value in tensor.unique()}
    assert len(values) == 1
    return values.pop(), next(iter(told))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (weights(prefix="module."), "w.pt [module]"),
        (weights(prefix="_orig_mod.module."), "w.pt [_orig_mod.module]"),
        ({"state_dict": weights(), "epoch": 3}, "w.pt [state_dict]"),
        ({"state_dict": {**weights(prefix="model."), "loss.scale": torch.ones(1)}}, "w.pt [state_dict.model]"),
        (weights(prefix="model.diffusion_model."), "w.pt [model.diffusion_model]"),
        ({"model": {"params": weights(prefix="module.")}}, "w.pt [model.params.module]"),
        ({"n_averaged": torch.ones(1), **weights(prefix="module.")}, "w.pt [module]"),
        ({name: tensor.half() for name, tensor in weights().items()}, "w.pt"),
        ({name: nn.Parameter(tensor) for name, tensor in weights().items()}, "w.pt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_entries_and_prefixes_are_seen_through_and_told(content, told, tmp_path):
    assert loaded(content, tmp_path / "w.pt") == (1.0, told)


def without_dots(value):
    return {f"model_ema.diffusion_model{name.replace('.', '')}": tensor for name, tensor in weights(value).items()}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"model": weights(0.0), "ema": weights()}, "ema"),
        ({"params": weights(0.0), "params_ema": weights()}, "params_ema"),
        ({"state_dict": {**weights(0.0, "model."), **weights(1.0, "model_ema.")}}, "state_dict.model_ema"),
        ({"net": weights(0.0, "module."), "ema_0.9999": weights(prefix="module.")}, "ema_0.9999.module"),
        ({"non_ema": weights(0.0), "ema": weights()}, "ema"),
        ({**weights(0.0, "model.diffusion_model."), **without_dots(1.0)}, "model_ema"),
        (
            {"model": weights(0.0), "ema": {"decay": 0.9, "shadow_params": list(weights().values())}},
            "ema.shadow_params",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_weights_and_their_average_the_average_is_taken_and_said(content, place, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert loaded(content, tmp_path / "w.pt") == (1.0, f"w.pt [{place}]")
    assert f"took the averaged weights {place}" in caplog.text


def test_an_average_without_names_is_of_the_parameters_and_buffers_are_those_beside_the_weights(tmp_path):
    target, trained = (nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)) for _ in range(2))
    trained[1].running_mean.fill_(5.0)
    average = [torch.full_like(parameter, 7.0) for parameter in trained.parameters()]
    torch.save({"model": trained.state_dict(), "ema": {"shadow_params": average}}, tmp_path / "w.pt")
    assert list(load_exactly(target, tmp_path / "w.pt").hashes()) == ["w.pt [ema.shadow_params]"]
    assert all((parameter == 7.0).all() for parameter in target.parameters())
    assert (target[1].running_mean == 5.0).all()


@pytest.mark.parametrize(
    ("change", "kind"),
    [(lambda t: t.long(), "torch.int64"), (lambda t: t.to(torch.complex64), "torch.complex64"),
     (lambda t: t.to_sparse(), "torch.float32, torch.sparse_coo")],
    ids=["whole numbers", "complex", "sparse"],
)  # fmt: skip
def test_another_kind_of_number_is_refused_and_a_count_may_be_a_whole_float(tmp_path, change, kind):
    torch.save({name: change(tensor) for name, tensor in weights().items()}, tmp_path / "w.pt")
    with pytest.raises(UserError, match=rf"w\.pt: 0\.weight is {kind}, where the network has torch\.float32"):
        load_exactly(network(), tmp_path / "w.pt")
    counting = nn.BatchNorm2d(3)
    torch.save({name: tensor.half() for name, tensor in counting.state_dict().items()}, tmp_path / "w.pt")
    load_exactly(counting, tmp_path / "w.pt")


def test_an_average_that_does_not_fit_is_left_and_said(tmp_path, caplog):
    content = {"model": weights(), "ema": {"0.weight": torch.zeros(2, 3)}}
    assert loaded(content, tmp_path / "w.pt")[1] == "w.pt [model]"
    assert "the average ema. does not fit" in caplog.text
    content = {"model": weights(), "ema": {"shadow_params": [torch.zeros(2, 3)]}}
    assert loaded(content, tmp_path / "w.pt")[1] == "w.pt [model]"
    assert "ema.shadow_params has no names" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"G": weights(), "teacher": weights()}, r"w\.pt: has such weights 2 times \(G\., teacher\.\)"),
        ({"ema_0.99": weights(), "ema_0.999": weights()}, r"2 times \(ema_0\.99\., ema_0\.999\.\)"),
        ({"optimizer": {0: torch.ones(1)}, "step": 3}, r"w\.pt: no weights in the entries optimizer, step"),
        ({"state_dict": {"0.weight": torch.ones(2, 3)}}, r"w\.pt \[state_dict\] does not fit.*3 missing: 0\.bias"),
        ({**weights(), "gain": torch.ones(1)}, r"1 unknown: gain \(1,\)"),
        ({**weights(prefix="module."), "module.gain": torch.ones(1)}, r"1 unknown: gain \(1,\)"),
        (weights(prefix="encoder."), "4 missing: 0.weight"),
        ([torch.ones(1)], r"w\.pt: a list, no state dict"),
    ],
)
def test_what_could_be_another_network_is_refused(content, words, tmp_path):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(UserError, match=words):
        load_exactly(network(), tmp_path / "w.pt")


def test_a_pointer_of_git_lfs_is_called_that(tmp_path):
    (tmp_path / "w.pt").write_text("version https://git-lfs/spec/v1\noid sha256:abc\nsize 374000000\n")
    with pytest.raises(UserError, match="a pointer of Git LFS"):
        load_exactly(network(), tmp_path / "w.pt")


@pytest.mark.parametrize("prefix", ["model.", ""])
@pytest.mark.parametrize("name", ["betas", "alphas_cumprod"])
def test_noise_levels_beside_the_weights_have_to_be_the_schedule_s(tmp_path, name, prefix):
    betas = torch.linspace(1e-4, 2e-2, 1000)
    table = {"betas": betas, "alphas_cumprod": (1 - betas).cumprod(0)}[name]
    torch.save({**weights(prefix=prefix), name: table}, tmp_path / "right.pt")
    NetworkModel(network(), (3,), checkpoint=str(tmp_path / "right.pt"))
    torch.save({**weights(prefix=prefix), name: table**2}, tmp_path / "wrong.pt")
    with pytest.raises(UserError, match=rf"wrong\.pt: {name} is a table of 1000 levels .* set the model's schedule"):
        NetworkModel(network(), (3,), checkpoint=str(tmp_path / "wrong.pt"))


def test_what_is_beside_all_weights_can_be_taken_out(tmp_path):
    torch.save({**weights(), "more": torch.ones(2)}, tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"w\.pt .*1 unknown: more \(2,\); if .* take them out of the file"):
        load_exactly(network(), tmp_path / "w.pt")


@pytest.mark.parametrize(("scale", "fits"), [(1.0, True), (0.5, False)])
def test_noise_levels_beside_the_weights_of_guided_diffusion_have_to_be_its_schedule_s(tmp_path, scale, fits):
    state = torch.load(GOLDEN / "adm_ffhq_style" / "model.pt", weights_only=True)
    torch.save({**state, "betas": scale * torch.linspace(1e-4, 2e-2, 1000)}, tmp_path / "w.pt")
    if fits:
        recorded("adm_ffhq_style", checkpoint=str(tmp_path / "w.pt"))
    else:
        with pytest.raises(UserError, match=r"w\.pt: betas is a table of 1000 levels .* set the model's schedule"):
            recorded("adm_ffhq_style", checkpoint=str(tmp_path / "w.pt"))


def test_a_training_checkpoint_of_guided_diffusion_gives_the_same_network(tmp_path):
    state = torch.load(GOLDEN / "adm_ffhq_style" / "model.pt", weights_only=True)
    torch.save({"state_dict": {f"model.{name}": tensor for name, tensor in state.items()}}, tmp_path / "light.pt")
    plain, wrapped = recorded("adm_ffhq_style"), recorded("adm_ffhq_style", checkpoint=str(tmp_path / "light.pt"))
    assert list(wrapped.weights) == ["light.pt [state_dict.model]"]
    for a, b in zip(plain.parameters(), wrapped.parameters(), strict=True):
        assert torch.equal(a, b)
