"""A checkpoint is read exactly, or refused with the file and the reason; its code is never run."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dsg.errors import UserError
from dsg.models.adm import ADM
from dsg.models.checkpoint import load_exactly, read_state_dict

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "adm_ffhq_style" / "model.pt"


class Trap:
    """Pickles as a call that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.pt: no such file"):
        read_state_dict(tmp_path / "nowhere.pt")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_called_truncated(tmp_path, kept):
    content = GOLDEN.read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match=r"cut\.pt: truncated or no checkpoint"):
        ADM(str(tmp_path / "cut.pt"))


@pytest.mark.parametrize("name", ["page.pt", "page.safetensors"])
def test_a_web_page_in_place_of_a_checkpoint_is_refused(tmp_path, name):
    (tmp_path / name).write_text("<!DOCTYPE html><html>Quota exceeded</html>")
    with pytest.raises(UserError, match=r"page\.\w+: truncated or no checkpoint \(42 bytes"):
        read_state_dict(tmp_path / name)


@pytest.mark.parametrize("archive", [True, False], ids=["zip", "legacy"])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, archive):
    trap = tmp_path / "sprung"
    torch.save({"weight": Trap(trap)}, tmp_path / "evil.pt", _use_new_zipfile_serialization=archive)
    with pytest.raises(UserError, match=r"evil\.pt: refused, since loading it would run code \(\w+\.mkdir\)"):
        read_state_dict(tmp_path / "evil.pt")
    assert not trap.exists()


def test_a_training_checkpoint_that_nests_the_weights_is_refused_with_its_entries(tmp_path):
    torch.save({"state_dict": {"weight": torch.zeros(1)}, "epoch": 3}, tmp_path / "training.pt")
    with pytest.raises(UserError, match=r"training\.pt: not a flat state dict but the entries state_dict, epoch"):
        read_state_dict(tmp_path / "training.pt")


@pytest.mark.parametrize("archive", [True, False], ids=["zip", "legacy"])
def test_both_formats_of_torch_save_are_read(tmp_path, archive):
    weight = torch.arange(6.0).reshape(2, 3)
    torch.save({"weight": weight}, tmp_path / "w.pt", _use_new_zipfile_serialization=archive)
    assert torch.equal(read_state_dict(tmp_path / "w.pt")["weight"], weight)


def test_safetensors_are_read_and_loaded(tmp_path):
    source, target = nn.Linear(3, 2), nn.Linear(3, 2)
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    load_exactly(target, tmp_path / "w.safetensors")
    assert torch.equal(source.weight, target.weight)
    assert torch.equal(source.bias, target.bias)


def test_foreign_weights_are_refused_with_the_first_names_and_shapes(tmp_path):
    save_file({"weight": torch.zeros(4, 3), "gain": torch.zeros(2)}, tmp_path / "w.safetensors")
    network = nn.Linear(3, 2)
    before = network.weight.clone()
    with pytest.raises(UserError) as error:
        load_exactly(network, tmp_path / "w.safetensors")
    message = str(error.value)
    assert "1 missing: bias (2,)" in message
    assert "1 unknown: gain (2,)" in message
    assert "1 of another shape: weight (4, 3) instead of (2, 3)" in message
    assert "\n" not in message
    assert torch.equal(network.weight, before)


def test_guided_diffusion_weights_are_accepted_as_safetensors_too(tmp_path):
    save_file(torch.load(GOLDEN, weights_only=True), tmp_path / "model.safetensors")
    options = {"image_size": 32, "num_channels": 32, "channel_mult": "1,2", "num_head_channels": 32}
    one, other = ADM(str(tmp_path / "model.safetensors"), **options), ADM(str(GOLDEN), **options)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
