"""Any operator of the `deepinv` library as a task."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from warnings import catch_warnings, filterwarnings

import torch
from torch import Tensor, nn

from dsg.diffusion.noise import NoiseStreams
from dsg.errors import NotInstalled, UserError, installed
from tasks.base import InverseProblem
from tasks.noise import MeasurementNoise
from tasks.operators import Operator
from tasks.operators.deepinv_operators import operator_of, probe


class DeepinvPhysics(InverseProblem):
    """y = A(x) + noise, with A of a physics object of deepinv (deepinv.github.io), for images in [−1, 1].

    What the object says of itself is tried first: methods get the singular values of a decomposable physics, and the
    adjoint and pseudo-inverse of another linear one (see LinearPhysicsOperator). A physics that is not linear has
    none of these; loss guidance runs on it. Parameters that the object draws, such as a random mask, are drawn once,
    when it is built, and shared by all images.

    Args:
        physics: {class_path: deepinv.physics.Downsampling, init_args: {...}}, or an object. Lists are given to it as
            tuples, and an init_arg may again have a class_path, also that of a function that makes a filter.
        noise: what is added to A(x); Gaussian with σ_y = 0.05 by default, in A(x)'s own unit.
        seed: at least 0; of what `physics` draws when it is built here.

    Raises:
        UserError: where deepinv is missing, the object cannot be built, or it has noise or a sensor of its own; before
            the first sample, for images or measurements that do not fit.
    """

    def __init__(
        self, physics: dict[str, Any] | nn.Module, noise: MeasurementNoise | None = None, seed: int = 0
    ) -> None:
        super().__init__(noise)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.physics: Any = build(physics)
        self.name = type(self.physics).__name__
        if not isinstance(self.physics, nn.Module) or not hasattr(self.physics, "A"):
            raise UserError(f"task.physics: {self.name} is no physics of deepinv: it has no A(x)")
        model = getattr(self.physics, "noise_model", None)
        if model is not None and type(model).__name__ != "ZeroNoise":
            raise UserError(
                f"task.physics: {self.name} has {type(model).__name__} of its own; set its noise_model to "
                "{class_path: deepinv.physics.ZeroNoise} and use the task's `noise`"
            )
        self.physics.requires_grad_(False)
        self._operators: dict[tuple[tuple[int, ...], torch.device], Operator] = {}

    def check(self, shape: tuple[int, ...]) -> None:
        self._operator(tuple(shape), torch.device("cpu"))

    def operator(self, shape: tuple[int, ...], streams: NoiseStreams) -> Operator:
        return self._operator(tuple(shape), streams.device)

    def example_operator(self) -> Operator:
        """A for the images that the physics was built for, where it says so."""
        for name in ("img_size", "imsize", "img_width"):
            size = getattr(self.physics, name, None)
            if isinstance(size, int):
                return self._operator((3, size, size), torch.device("cpu"))
            if isinstance(size, tuple) and len(size) == 3:
                return self._operator(size, torch.device("cpu"))
        return super().example_operator()

    def _operator(self, shape: tuple[int, ...], device: torch.device) -> Operator:
        self.physics.to(device)
        if (shape, device) in self._operators:
            return self._operators[shape, device]
        try:
            with torch.no_grad():
                y = self.physics.A(probe(1, shape, device))
            if not isinstance(y, Tensor) or not y.is_floating_point() or len(y) != 1:
                raise UserError(
                    f"task.physics: {self.name} does not measure an image as one real tensor: choose another, with "
                    "one set of parameters for all images"
                )
            if hasattr(self.physics, "sensor") and not torch.equal(self.physics.sensor(y), y):
                raise UserError(f"task.physics: {self.name} has a sensor model, which is not asked; build it without")
            operator = operator_of(self.physics, shape, device)
        except (UserError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # a library that checks no sizes fails in many ways
            raise UserError(
                f"task.physics: {self.name} cannot measure images of shape {shape} ({_flat(error)}): build it for the "
                "model's images"
            ) from error
        self._operators[shape, device] = operator
        return operator


def build(value: Any) -> Any:
    """What a configuration says: {class_path, init_args} called, lists as tuples, everything else as it is.

    Raises:
        UserError: if there is no such class, or it refuses its arguments.
    """
    if isinstance(value, (list, tuple)):
        return tuple(build(part) for part in value)
    if not isinstance(value, dict):
        return value
    if not isinstance(value.get("class_path"), str) or not set(value) <= {"class_path", "init_args"}:
        raise UserError(f"task.physics: needs {{class_path: ..., init_args: {{...}}}}, got {value}")
    path = value["class_path"]
    module, _, name = path.rpartition(".")
    arguments = {key: build(part) for key, part in (value.get("init_args") or {}).items()}
    try:
        with installed("deepinv", f"task.physics: {path}"):
            made = getattr(import_module(module), name)
    except NotInstalled:
        raise
    except ModuleNotFoundError as error:
        raise UserError(f"task.physics: {path}: {error}") from error
    except (AttributeError, ValueError) as error:
        raise UserError(f"task.physics: there is no {path}: check class_path") from error
    try:
        with catch_warnings():
            filterwarnings("error", message="Arguments .* are ignored")  # deepinv's answer to a misspelt one
            return made(**arguments)
    except Exception as error:
        raise UserError(f"task.physics: {path} cannot be built from its init_args: {_flat(error)}") from error


def _flat(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
