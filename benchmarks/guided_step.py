"""What a guided step costs over one bare forward and backward pass of the same network, timed in turn.

python -m benchmarks.guided_step [--networks portraits ffhq256] [--rounds 15] [--precision 32-true bf16-mixed]

The FFHQ-256 network has random weights: time does not depend on them. `python -m benchmarks.throughput` compares ways
to run a network.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from rich.console import Console
from rich.table import Table

import tasks
from benchmarks.timing import median_seconds
from benchmarks.untrained import FFHQ256
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.level import Step
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.spacing import Even
from dsg.guidance import DPS, DSG, Guidance
from dsg.models.adm import ADM
from dsg.models.base import ScoreModel
from dsg.models.engines import Plain
from dsg.models.portraits.model import Portraits
from dsg.sampling import Sampler

TASKS = {
    "random inpainting": tasks.RandomInpainting(),
    "super-resolution": tasks.SuperResolution(),
    "gaussian deblurring": tasks.GaussianDeblurring(),
}
METHODS: dict[str, Guidance] = {"DPS": DPS(), "DSG": DSG()}


def precision_context(precision: str, device: str) -> AbstractContextManager:
    """As Lightning's `trainer.precision`."""
    return torch.autocast(device, torch.bfloat16) if precision == "bf16-mixed" else nullcontext()


def middle_step(model: ScoreModel) -> Step:
    """Of ten the sixth: time does not depend on it."""
    return Even().steps(model.schedule, 10)[5]


def bare_pass(model: ScoreModel, x_t: torch.Tensor) -> None:
    """One forward and one backward to the input."""
    x_t = x_t.detach().requires_grad_()
    output = model(x_t, middle_step(model))
    torch.autograd.grad(output.epsilon.sum(), x_t)


def guided_step(
    model: ScoreModel,
    task: tasks.Task,
    guidance: Guidance,
    x_t: torch.Tensor,
    pictures: torch.Tensor | None = None,
) -> Callable[[], object]:
    """One step of `guidance` from `x_t`, ready to be timed; `pictures` are measured, by default `x_t` itself."""
    sampler = Sampler(model, task, guidance, DDIM(), steps=10)
    keys = [SampleKey(0, str(i)) for i in range(len(x_t))]
    process = sampler.begin(
        Examples(x_t.clamp(-1, 1) if pictures is None else pictures), NoiseStreams(keys, x_t.device)
    )
    step = middle_step(model)

    def run() -> None:
        with torch.no_grad(), torch.autocast(x_t.device.type, enabled=False):
            guidance.step(x_t, step, process)

    return run


def measure(name: str, model: ScoreModel, batch: int, precision: str, rounds: int, device: str) -> Table:
    """Bare and guided times of every task and method."""
    table = Table(title=f"{name}, batch {batch}, {precision}, {device}")
    for heading in ("task", "method", "bare s", "guided s", "ratio"):
        table.add_column(heading, justify="right" if heading in ("bare s", "guided s", "ratio") else "left")
    x_t = torch.randn(batch, *model.shape, generator=torch.Generator().manual_seed(0)).to(device)
    for task_name, task in TASKS.items():
        with precision_context(precision, device):
            steps = [guided_step(model, task, guidance, x_t) for guidance in METHODS.values()]
            bare, *guided = median_seconds([partial(bare_pass, model, x_t), *steps], rounds, device)
        for method, seconds in zip(METHODS, guided, strict=True):
            table.add_row(task_name, method, f"{bare:.4f}", f"{seconds:.4f}", f"{seconds / bare:.3f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["portraits", "ffhq256"], choices=["portraits", "ffhq256"])
    parser.add_argument("--precision", nargs="+", default=["32-true", "bf16-mixed"], choices=["32-true", "bf16-mixed"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    console = Console(width=110)
    for precision in options.precision:
        half = precision == "bf16-mixed"
        if "portraits" in options.networks:
            model = Portraits().to(options.device)
            console.print(measure("portraits", model, 16, precision, options.rounds, options.device))
        if "ffhq256" in options.networks:
            ffhq = ADM.random(**FFHQ256, engine=Plain(channels_last=half)).to(options.device)
            batch = 8 if options.device == "cuda" else 1
            console.print(measure("FFHQ-256", ffhq, batch, precision, max(options.rounds // 3, 3), options.device))


if __name__ == "__main__":
    main()
