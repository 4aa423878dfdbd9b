"""`python -m pytest -m gpu --device cuda`: the lane for GPUs, and on which device it goes."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("gpu", "the lane for GPUs").addoption(
        "--device",
        default="cuda",
        metavar="DEVICE",
        help="device of the tests marked `gpu` (cuda, cuda:1, mps); with cpu they show that they are not broken "
        "themselves, where there is no GPU",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gpu: what only a GPU can show; `make test-gpu`")
