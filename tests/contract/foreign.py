"""What is from outside, as the command line names it. Every mistake is one line that says what was expected."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dsg.combiners import PredictionCombiner
from dsg.diffusion import Even, LogSNR, Spacing
from dsg.diffusion.kernels import ReverseKernel
from dsg.guidance import Guidance
from tests.contract.axes import Combining, Solver
from tests.contract.design import AXES, Axes
from tests.contract.methods import STEPS, Method
from tests.contract.named import Option, in_file, made

GUIDANCE = Option("guidance", Guidance)
KERNEL = Option("kernel", ReverseKernel)
COMBINER = Option("combiner", PredictionCombiner)


def foreign_axes(option: argparse.Namespace, folder: Path) -> Axes:
    """The axes of the contract, each with the one value that an option names, where it does.

    Args:
        option: the parsed command line.
        folder: that a file's name is relative to.

    Raises:
        pytest.UsageError: for a name that is not there, a value that is refused, or another spelling.
    """
    axes = AXES
    if option.guidance is not None:
        axes = replace(axes, method=foreign_method(option.guidance, option.zero, option.evaluations, folder))
    if option.kernel is not None:
        axes = replace(axes, kernel=foreign_kernel(option.kernel, folder))
    if option.combiner is not None:
        axes = replace(axes, combiner=foreign_combiner(option.combiner, folder))
    return axes


def foreign_method(guidance: str, zero: Sequence[str], evaluations: str | None, folder: Path) -> dict[str, Method]:
    """The one method of `--guidance`, `--zero` and `--evaluations`, under its class's name.

    Args:
        guidance: MODULE.CLASS, or a YAML file.
        zero: NAME=VALUE each, where a NAME may be dotted.
        evaluations: F,B.
        folder: that a file's name is relative to.
    """
    method = twin = GUIDANCE.object(guidance, folder)
    for assignment in zero:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise pytest.UsageError(f"--zero: expected NAME=VALUE, such as step_size=0, got {assignment!r}")
        twin = _changed(twin, name, yaml.safe_load(value))
    declared = Method(
        method, twin if zero else None, _evaluations(evaluations), further=None, without_zero="no --zero given"
    )
    return {type(method).__name__: declared}


def foreign_kernel(kernel: str, folder: Path) -> dict[str, Solver]:
    """The one kernel of `--kernel`, under its class's name, on the levels of its file.

    A class has the levels of a table, evenly, or those even in log-SNR if it cannot start from noise alone.
    """
    found = KERNEL.object(kernel, folder)
    spacing = None
    if Path(kernel).suffix in (".yaml", ".yml"):
        spacing = in_file("kernel", "spacing", Spacing, folder / kernel)
    return {type(found).__name__: Solver(found, spacing or (LogSNR() if found.needs_signal else Even()))}


def foreign_combiner(combiner: str, folder: Path) -> dict[str, Combining]:
    """The one combiner of `--combiner`, under its class's name."""
    found = COMBINER.object(combiner, folder)
    return {type(found).__name__: Combining(lambda model: found, None)}


def _changed(method: Any, name: str, value: Any, of: str = "") -> Any:
    """The same method, made again with one parameter, or one of its base's, set to `value`."""
    first, _, rest = name.partition(".")
    parameters = list(inspect.signature(type(method)).parameters)
    if first not in parameters:
        expected = ", ".join(of + p for p in parameters) or "none"
        raise pytest.UsageError(
            f"--zero: {type(method).__name__} has no parameter {of}{first}; its parameters are {expected}"
        )
    now = {p: getattr(method, p) for p in parameters if hasattr(method, p)}
    now[first] = _changed(now[first], rest, value, f"{of}{first}.") if rest else value
    return made(type(method), now, "--zero")


def _evaluations(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    numbers = re.fullmatch(r"(\d+),(\d+)", text)
    if not numbers:
        raise pytest.UsageError(
            f"--evaluations: expected F,B, the forward and backward evaluations of {STEPS} steps, such as "
            f"{STEPS},{STEPS - 1}; got {text!r}"
        )
    return int(numbers[1]), int(numbers[2])
