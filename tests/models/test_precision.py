"""What measures a network computes in all of float32, whatever the network was allowed."""

from __future__ import annotations

import pytest
import torch

from callbacks import quality
from dsg.models.precision import full_float32
from tasks import RandomInpainting


def switches() -> tuple[bool, str]:
    """What convolutions on a GPU, and products anywhere, may leave out."""
    return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()


@pytest.fixture(autouse=True)
def _put_back():
    convolutions, products = switches()
    yield
    torch.set_float32_matmul_precision(products)
    if hasattr(torch.backends.cudnn, "conv"):
        torch.backends.cudnn.conv.fp32_precision = torch.backends.cudnn.rnn.fp32_precision = "none"
    torch.backends.cudnn.allow_tf32 = convolutions


@pytest.mark.parametrize("convolutions", [True, False])
@pytest.mark.parametrize("products", ["highest", "high", "medium"])
def test_less_than_float32_is_refused_inside_and_allowed_again_after_an_error_too(convolutions, products):
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.set_float32_matmul_precision(products)
    with full_float32():
        assert switches() == (False, "highest")
    assert switches() == (convolutions, products)
    with pytest.raises(ZeroDivisionError), full_float32():
        raise ZeroDivisionError
    assert switches() == (convolutions, products)


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="this torch has the older switch alone")
def test_torchs_newer_switch_is_put_back_as_it_was():
    conv = torch.backends.cudnn.conv
    conv.fp32_precision, torch.backends.cudnn.rnn.fp32_precision = "tf32", "ieee"
    with pytest.raises(RuntimeError):  # two answers to one question
        switches()
    with full_float32():
        assert conv.fp32_precision == "ieee"
    assert conv.fp32_precision == "tf32"


@pytest.mark.parametrize(("owner", "name"), [(quality, "ssim"), (RandomInpainting, "loss")])
def test_metrics_and_the_final_loss_are_of_full_float32(evaluate, monkeypatch, owner, name):
    measured, seen = getattr(owner, name), []

    def noting(*args, **kwargs):
        seen.append(switches())
        return measured(*args, **kwargs)

    monkeypatch.setattr(owner, name, noting)
    torch.set_float32_matmul_precision("medium")
    assert evaluate("--data.limit", 1) == 0
    assert seen[-1] == (False, "highest")
