"""TorchScript, which is a program: run only if it is the file that somebody vouched for."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dsg.errors import UserError


def check_sha256(digits: str, option: str) -> None:
    """Raise UserError, naming the `option`, unless `digits` are the 64 hexadecimal ones of a SHA-256."""
    if not re.fullmatch("[0-9a-fA-F]{64}", digits):
        raise UserError(f"{option}: must be 64 hexadecimal digits, as sha256sum prints them, got {digits!r}")


class TorchScript(nn.Module):
    """The module of a TorchScript file, frozen: what a configuration names where a network is TorchScript.

    The bytes that are checked are those that are loaded: a file that is replaced meanwhile, as anyone can in a shared
    folder, is not read again.

    Args:
        file: as torch.jit.save writes it.
        sha256: of the file, 64 hexadecimal digits, from whoever made it or from yourself, once you trust it.

    Raises:
        UserError: if the file is missing, has another SHA-256, or is no TorchScript.
    """

    def __init__(self, file: str | Path, sha256: str) -> None:
        super().__init__()
        path = Path(file).expanduser()
        check_sha256(sha256, f"sha256 of {path}")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; correct the path") from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256.lower():
            raise UserError(
                f"{path} is not run: TorchScript is a program, and its SHA-256 is {found}, where {sha256.lower()} is "
                "expected; fetch it again, or state its own SHA-256 if you trust it"
            )
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*torch.jit.load. is deprecated", FutureWarning)
                self.module = torch.jit.load(io.BytesIO(content), map_location="cpu")
        except RuntimeError as error:
            raise UserError(
                f"{path} has the SHA-256 that is stated and is no TorchScript; take another file"
            ) from error
        self.eval().requires_grad_(False)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self.module(*inputs, **options)
