"""What a guided step costs an image, by batch size and by the way in which the network is run.

python -m benchmarks.throughput [--networks ffhq256] [--ways official float32 autocast fused graphs] [--batch 1 8 32]

A step is one of DSG on random inpainting: a forward pass of the network and a backward to its input. Columns: `ms`, of
a step and image, median of `--rounds`, all ways of a batch in turn; `rate`, of the network's floating-point operations
against a product of matrices in half precision on the same device; `outside`, of the step what is not the network's own
passes; `GiB`, the most memory that the way reserves; `error`, of ε and of the gradient against float32 without TF32,
relative.

`official` is the way of the papers' own code: float32, one image, weights that require gradients, attention computed
again in the backward. FFHQ-256 and ImageNet-256 have random weights: time does not depend on them.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import tasks
from benchmarks.guided_step import bare_pass, guided_step, middle_step, precision_context
from benchmarks.plain_float32 import plain_float32
from benchmarks.timing import median_seconds
from benchmarks.untrained import FFHQ256, IMAGENET256
from dsg.guidance import DSG
from dsg.models.adm import ADM
from dsg.models.base import ScoreModel
from dsg.models.engines import Compiled, Engine, Fused
from dsg.models.portraits.model import Portraits
from dsg.models.precision import full_float32

NETWORKS: dict[str, Callable[[Engine | None], ScoreModel]] = {
    "ffhq256": lambda engine: ADM.random(**FFHQ256, engine=engine),
    "imagenet256": lambda engine: ADM.random(**IMAGENET256, engine=engine),
    "portraits": lambda engine: Portraits(engine=engine),
}


@dataclass(frozen=True)
class Way:
    """How a network is run: by which engine, and whether under an autocast to bfloat16."""

    engine: Callable[[], Engine | None] = lambda: None
    autocast: bool = False
    plain: bool = False  # the official code's way, one image at a time


WAYS = {
    "official": Way(plain=True),
    "float32": Way(),
    "autocast": Way(autocast=True),
    "compiled": Way(lambda: Compiled(channels_last=True), autocast=True),
    "fused": Way(lambda: Fused(graphs=False)),
    "graphs": Way(lambda: Fused(graphs=True)),
}


@dataclass(frozen=True)
class Measured:
    """A cell of the table; seconds are of one step and image, None where the batch does not fit."""

    network: str
    way: str
    batch: int
    seconds: float | None
    rate: float | None = None
    outside: float | None = None
    memory: float | None = None
    epsilon_error: float | None = None
    gradient_error: float | None = None


@dataclass(frozen=True)
class Reference:
    """Floating-point operations of a guided step of one image, the device's rate, and what float32 answers."""

    operations: float
    product: float
    answer: tuple[torch.Tensor, torch.Tensor]


class Prepared:
    """One way of one network at one batch size, with what is to be timed.

    Args:
        name: of the way.
        network: its name.
        batch: number of images.
        device: where.
    """

    def __init__(self, name: str, network: str, batch: int, device: str) -> None:
        way = WAYS[name]
        torch.manual_seed(0)
        with torch.device(device):  # random weights of half a gigabyte are drawn there in no time
            self.model = NETWORKS[network](way.engine()).to(device)
        if way.plain:
            self.model = plain_float32(self.model)  # type: ignore[arg-type]
        generator = torch.Generator().manual_seed(0)
        self.x_t = torch.randn(batch, *self.model.shape, generator=generator).to(device)
        self._precision = partial(precision_context, "bf16-mixed" if way.autocast else "32-true", device)
        with self._precision():
            self.step = guided_step(self.model, tasks.RandomInpainting(), DSG(), self.x_t)

    def bare(self) -> None:
        with self._precision():
            bare_pass(self.model, self.x_t)

    def answer(self) -> tuple[torch.Tensor, torch.Tensor]:
        """ε and a gradient of it, of the first image, which is the same at every batch size."""
        x = self.x_t.detach().requires_grad_()
        with self._precision():
            epsilon = self.model(x, middle_step(self.model)).epsilon[:1]
        weights = torch.linspace(-1, 1, epsilon.numel(), device=x.device).view_as(epsilon)
        return epsilon.detach(), torch.autograd.grad((epsilon * weights).sum(), x)[0][:1]


def measure(network: str, ways: list[str], batch: int, rounds: int, device: str, known: Reference) -> list[Measured]:
    """All ways of one network at one batch size, in turn; what goes wrong is said and left out."""
    prepared, cells = {}, []
    for name in ways:
        if (WAYS[name].plain and batch > 1) or (name == "graphs" and device != "cuda"):
            continue
        before = _reserved(device)
        try:
            one = Prepared(name, network, batch, device)
            for _ in range(2):  # what is recorded is so in the second
                one.step()
            answer = one.answer()
        except torch.OutOfMemoryError:
            cells.append(Measured(network, name, batch, None))
            continue
        except Exception as error:  # the other ways are worth their time
            print(f"{network}, batch {batch}, {name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        memory = None if before is None else (torch.cuda.max_memory_reserved() - before) / 2**30
        epsilon, gradient = (_apart(found, right) for found, right in zip(answer, known.answer, strict=True))
        cells.append(Measured(network, name, batch, 0.0, None, None, memory, epsilon, gradient))
        prepared[name] = one
    actions = [action for one in prepared.values() for action in (one.step, one.bare)]
    seconds = dict(zip(prepared, _pairs(median_seconds(actions, rounds, device)), strict=True))
    return [cell if cell.seconds is None else _timed(cell, *seconds[cell.way], known) for cell in cells]


def _pairs(values: list[float]) -> list[tuple[float, float]]:
    return list(zip(values[::2], values[1::2], strict=True))


def _timed(cell: Measured, step: float, bare: float, known: Reference) -> Measured:
    rate = known.operations * cell.batch / step / known.product
    return replace(cell, seconds=step / cell.batch, rate=rate, outside=max(0.0, 1 - bare / step))


def _apart(found: torch.Tensor, right: torch.Tensor) -> float:
    return ((found.cpu() - right).norm() / right.norm()).item()


def _reserved(device: str) -> int | None:
    """Bytes of the device that torch holds, recordings too; what is held at the most is counted from here on."""
    if device != "cuda":
        return None
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_reserved()


def reference(network: str, device: str, product: float) -> Reference:
    """Of one image; `product` is the device's rate, operations a second."""
    one = Prepared("float32", network, 1, device)
    with full_float32():
        epsilon, gradient = one.answer()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            one.model(one.x_t, middle_step(one.model))
    # a backward pass to the input alone has as many as the forward pass
    return Reference(2 * counter.get_total_flops(), product, (epsilon.cpu(), gradient.cpu()))


def product_rate(device: str, rounds: int) -> float:
    """Operations a second of a large product of matrices in the half precision that the device is fastest in."""
    size = 8192 if device == "cuda" else 2048
    dtype = Fused().dtype_on(torch.device(device))
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    (seconds,) = median_seconds([partial(torch.mm, a, b)], rounds, device)
    return 2 * size**3 / seconds


def markdown(cells: list[Measured], product: float, device: str) -> str:
    """The table, a line each."""
    slow = {cell.network: cell.seconds for cell in cells if cell.way == "official"}
    lines = [
        f"Product of matrices: {product / 1e12:.3g} TFLOP/s, {device}, torch {torch.__version__}.", "",
        "| network | batch | way | ms | times official | rate | outside | GiB | error of ε | of the gradient |",
        "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for cell in cells:
        official = slow.get(cell.network)
        faster = official / cell.seconds if official and cell.seconds else None
        values: list[Any] = [
            f"{cell.seconds * 1e3:.4g}" if cell.seconds else "does not fit",
            _number(faster, ".3g"), _number(cell.rate, ".1%"), _number(cell.outside, ".1%"),
            _number(cell.memory, ".3g"), _number(cell.epsilon_error, ".1e"), _number(cell.gradient_error, ".1e"),
        ]  # fmt: skip
        lines.append(f"| {cell.network} | {cell.batch} | {cell.way} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cuda = torch.cuda.is_available()
    parser.add_argument("--networks", nargs="+", default=["ffhq256", "portraits"], choices=list(NETWORKS))
    parser.add_argument("--ways", nargs="+", default=[w for w in WAYS if w != "compiled"], choices=list(WAYS))
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 8, 16, 32, 64] if cuda else [1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cuda" if cuda else "cpu", choices=["cuda", "cpu"])
    parser.add_argument("--out", type=Path, help="also write the table here, as Markdown, and as JSON beside it")
    options = parser.parse_args()
    torch.backends.cudnn.benchmark = cuda
    product = product_rate(options.device, options.rounds)
    cells: list[Measured] = []
    for network in options.networks:
        known = reference(network, options.device, product)
        for batch in options.batch:
            cells += measure(network, options.ways, batch, options.rounds, options.device, known)
            print(markdown(cells[-1:], product, options.device).splitlines()[-1], flush=True)
            if options.out:  # what is there, should time run out
                options.out.parent.mkdir(parents=True, exist_ok=True)
                options.out.write_text(markdown(cells, product, options.device))
                found = {"product": product, "cells": [asdict(cell) for cell in cells]}
                options.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    print(markdown(cells, product, options.device), end="")


if __name__ == "__main__":
    main()
