"""What the command line does to the process that it runs in."""

from __future__ import annotations

import io
import sys

from dsg.command.exit_codes import quieten


def test_a_sign_that_the_terminal_lacks_ends_no_run(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content := io.BytesIO(), encoding="ascii"))
    quieten()
    print("2 √ā †", flush=True)
    assert content.getvalue() == b"2 \\u221a\\u0101 \\u2020\n"
