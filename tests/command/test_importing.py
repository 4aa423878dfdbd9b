"""What a command's imports change while they last."""

from __future__ import annotations

import gc
import signal

import pytest

from dsg.command.importing import importing


@pytest.mark.parametrize("collects", [True, False])
def test_while_a_command_imports_nobody_looks_for_garbage_and_ctrl_c_is_another_and_then_all_is_as_before(collects):
    handler = signal.getsignal(signal.SIGINT)
    (gc.enable if collects else gc.disable)()
    try:
        with importing():
            assert not gc.isenabled()
            assert signal.getsignal(signal.SIGINT) is not handler
        assert gc.isenabled() == collects
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        gc.enable()
