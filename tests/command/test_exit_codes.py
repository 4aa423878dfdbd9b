"""What the command line does to the process that it runs in."""

from __future__ import annotations

import io
import sys

import pytest

from dsg.command.exit_codes import MISTAKE, explain, quieten


def test_a_sign_that_the_terminal_lacks_ends_no_run(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content := io.BytesIO(), encoding="ascii"))
    quieten()
    print("2 √ā †", flush=True)
    assert content.getvalue() == b"2 \\u221a\\u0101 \\u2020\n"


def test_what_a_class_of_lightnings_lacks_is_a_line_with_how_to_get_it_and_another_lack_is_an_error_of_the_code():
    hint = "Requirement 'comet-ml>=3.44.4' not met. HINT: Try running `pip install -U 'comet-ml>=3.44.4'`"
    outer = ValueError(f"Problem with given class_path 'lightning.pytorch.loggers.CometLogger':\n  {hint}")
    outer.__cause__ = ModuleNotFoundError(hint)
    line = "CometLogger: comet-ml>=3.44.4 is not installed: pip install 'comet-ml>=3.44.4'"
    assert explain(outer) == (MISTAKE, f"error: lightning.pytorch.loggers.{line}")
    with pytest.raises(ModuleNotFoundError):
        explain(ModuleNotFoundError("No module named 'dsg.nothing'"))
