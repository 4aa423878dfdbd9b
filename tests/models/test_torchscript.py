"""TorchScript is a program: it runs only if it is the file whose SHA-256 somebody stated."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import Tensor, nn

from dsg.errors import UserError
from dsg.models.checkpoint import read_state_dict
from dsg.models.torchscript import TorchScript

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated")


class Double(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "double.pt"
    torch.jit.script(Double()).save(str(file))
    return file


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_file_that_is_stated_runs_frozen(script):
    module = TorchScript(script, sha256(script).upper())
    assert module(torch.tensor(3.0)).item() == 6.0
    assert not any(parameter.requires_grad for parameter in module.parameters())
    module.eval().requires_grad_(False).to("cpu")  # as whoever takes a network does


def test_a_configuration_names_it_where_a_network_stands(script):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--network", type=nn.Module)
    arguments = {"file": str(script), "sha256": sha256(script)}
    named = {"class_path": "dsg.models.torchscript.TorchScript", "init_args": arguments}
    network = parser.instantiate(parser.parse_object({"network": named})).network
    assert network(torch.tensor(3.0)).item() == 6.0


def test_another_file_is_not_even_opened_as_a_program(script, monkeypatch):
    stated = sha256(script)
    script.write_bytes(script.read_bytes() + b" ")

    def opened(*args, **options):
        raise AssertionError("it was run")

    monkeypatch.setattr(torch.jit, "load", opened)
    with pytest.raises(UserError, match="is not run: TorchScript is a program, and its SHA-256 is") as refusal:
        TorchScript(script, stated)
    assert sha256(script) in str(refusal.value)
    assert stated in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_bytes_that_are_checked_are_those_that_run(script, monkeypatch):
    """Whoever may write the file could replace it between two readings."""
    stated, content, read = sha256(script), script.read_bytes(), []

    def read_once(path: Path) -> bytes:
        read.append(path)
        path.write_bytes(b"replaced")
        return content

    monkeypatch.setattr(Path, "read_bytes", read_once)
    assert TorchScript(script, stated)(torch.tensor(3.0)).item() == 6.0
    assert len(read) == 1


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("", "must be 64 hexadecimal digits"),
        ("f58cb9b6", "must be 64"),
        ("x" * 64, "must be 64"),
        (None, "TorchScript"),
    ],
)
def test_what_is_no_checksum_or_no_torchscript_is_one_line(tmp_path, digits, words):
    file = tmp_path / "weights.pt"
    file.write_bytes(b"no program")
    with pytest.raises(UserError, match=words) as refusal:
        TorchScript(file, sha256(file) if digits is None else digits)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nowhere\.pt: No such file"):
        TorchScript(tmp_path / "nowhere.pt", 64 * "0")


def test_torchscript_in_the_place_of_weights_is_refused_in_one_line(script):
    with pytest.raises(UserError, match="is TorchScript, a program, and is not run in the place of weights") as refusal:
        read_state_dict(script)
    assert str(script) in str(refusal.value)
    assert "\n" not in str(refusal.value)
