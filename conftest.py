"""pytest reads this file before any test, so that it knows `--guidance` wherever the option's value points to."""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.contract.plugin", "tests.gpu.plugin", "pytester"]
gc.disable()  # what is imported and collected stays: to look through it again and again is a third of the time


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        gc.freeze()  # nor during the tests: a twentieth of the contract's time
        gc.enable()


def pytest_unconfigure() -> None:
    gc.enable()  # of a session within a test that ended before it collected
