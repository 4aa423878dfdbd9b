"""Consistent or over-confident: what DPS and DSG pay in spread for accuracy, on a posterior that is known.

x ~ N(0, I), half of it measured with noise. K samples of each problem are scored as a user would score pictures,
beside the exact law of the sampler in many dimensions, for each rate of DSG and step size of DPS; and the rates at
which DSG is calibrated. Where the folder of runs holds portraits_consistency, a comparison that has ended, its ranks
join the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

import tasks
from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.neighbours.consistency_places import places
from benchmarks.neighbours.exact import consistency as exact
from benchmarks.neighbours.exact.consistency import Law, World
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.guidance import DPS, DSG, Guidance, Unguided
from dsg.metrics.ensemble import coverage, crps
from dsg.metrics.first_step import guided_estimate
from dsg.metrics.statistics import Interval, mean_with_interval
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler

SAMPLES, STEPS, SIGMA, SHARE = 19, 100, 0.3, 0.5
NOMINAL = (SAMPLES - 1) / (SAMPLES + 1)  # 0.9
RATES, STEP_SIZES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5), (2.0, 4.0, 8.0, 16.0, 32.0)
SIDE = 16
NAMES = ("std_psnr", "error", "seen", "unseen", "crps", "coverage", "use")
FINITE = 4e-3  # of 768 numbers instead of infinitely many, relative


@dataclass(frozen=True)
class Problems:
    """Truths x*, (P, 3, side, side), of which each is measured once and sampled K times."""

    truth: Tensor
    side: int

    @classmethod
    def draw(cls, count: int, side: int) -> Problems:
        return cls(torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0)), side)

    def __len__(self) -> int:
        return len(self.truth)

    def world(self, steps: int = STEPS, sigma: float = SIGMA) -> World:
        levels = Even().steps(NoiseSchedule("linear"), steps)
        return World(3 * self.side**2, SHARE, sigma, [*(level.alpha_bar for level in levels), 1.0])

    def measured(self, guidance: Guidance | None) -> dict[str, Interval]:
        """Means over problems of what K samples of each say; of exact samples, without a guidance."""
        model = GaussianMixture.standard_normal((3, self.side, self.side))
        task = tasks.RandomInpainting(SHARE, SHARE, noise=tasks.GaussianNoise(SIGMA))
        sampler = Sampler(model, task, guidance or Unguided(), DDIM(1.0), STEPS)
        keys = [SampleKey(0, str(problem), k) for problem in range(len(self)) for k in range(SAMPLES)]
        process = sampler.begin(Examples(self.truth.repeat_interleave(SAMPLES, 0)), NoiseStreams(keys))
        y, mask = process.measurement.y, process.measurement.operator.forward(torch.ones_like(process.measurement.y))
        law = exact.posterior(self.world())
        if guidance is None:
            z = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
            x, first = torch.where(mask > 0, law.a * y + math.sqrt(law.v) * z, z), law.a * y
        else:
            records = sampler.run(process)
            record = next(records)
            first = guided_estimate(record, sampler.kernel)
            assert first is not None, "DDIM takes one evaluation, and DPS and DSG its steps"
            for record in records:  # noqa: B007
                pass
            x = record.x_prev
        rows = [slice(p * SAMPLES, (p + 1) * SAMPLES) for p in range(len(self))]
        one = [_of_problem(x[r], first[r], self.truth[p], y[r][0], mask[r][0] > 0, law) for p, r in enumerate(rows)]
        return {name: mean_with_interval([values[name] for values in one]) for name in NAMES}


def _of_problem(x: Tensor, first: Tensor, truth: Tensor, y: Tensor, seen: Tensor, law: Law) -> dict[str, float]:
    """What K samples x of one problem say, and how far their first x̂ went to the posterior's mean."""
    errors = (x - truth).square().flatten(1).mean(1).double()
    return {
        "std_psnr": (-10 * errors.log10()).std().item(),
        "error": errors.mean().item(),
        "seen": math.sqrt(x[:, seen].double().var(0).mean().item() / law.v),
        "unseen": math.sqrt(x[:, ~seen].double().var(0).mean().item()),
        "crps": crps(x, truth),
        "coverage": coverage(x[:, seen], truth[seen]),
        "use": ((first.mean(0)[seen] @ y[seen]) / (law.a * y[seen].square().sum())).item(),
    }


def by_law(law: Law) -> dict[str, float]:
    """What `measured` is on average of infinitely many numbers; std_psnr is not known by the numbers' own laws."""
    return {
        "error": law.error,
        "seen": law.seen_ratio,
        "unseen": math.sqrt(law.u),
        "crps": law.crps,
        "coverage": law.seen_coverage(SAMPLES),
        "use": law.use,
    }


def calibrated(world: World) -> list[float]:
    """DSG's rates where the spread of seen numbers is right, where the coverage is, and where CRPS is least."""
    ratio = exact.rate_where(lambda law: law.seen_ratio, world, 1.0, 0.002, 0.8)
    nominal = exact.rate_where(lambda law: law.seen_coverage(SAMPLES), world, NOMINAL, ratio / 2, 0.8)
    return [ratio, nominal, exact.best_rate(lambda law: law.crps, world, high=0.6)]


def run(reduced: bool, runs: Path) -> Findings:
    problems = Problems.draw(4, 8) if reduced else Problems.draw(20, SIDE)
    world = problems.world()
    rates, sizes = (RATES[2::3], STEP_SIZES[::3]) if reduced else (RATES, STEP_SIZES)
    right = calibrated(world)[0]
    cases: list[tuple[str, float | None, Guidance | None, Law]] = [
        ("exact samples", None, None, exact.posterior(world)),
        ("unguided", None, Unguided(), exact.dps(world, 0.0)),
        *(("DPS", zeta, DPS(zeta), exact.dps(world, zeta)) for zeta in sizes),
        *(("DSG", w, DSG(guidance_rate=w), exact.dsg(world, w)) for w in sorted([*rates, right])),
    ]
    rows, checks, found = [], [], {}
    for name, strength, guidance, law in cases:
        told, expected = problems.measured(guidance), by_law(law)
        found[name, strength] = told
        what = name if strength is None else f"{name} {strength:.3g}"
        rows.append([what, told["std_psnr"].mean])
        for part, value in expected.items():
            rows[-1] += [told[part].mean, value]
            tolerance = 3 * told[part].se + FINITE * (10 if reduced else 1) * max(abs(value), 0.1)
            checks.append(Check(f"consistency, {what}, {part}, 3 s.e.", told[part].mean, value, tolerance))
    by_psnr, told = exact.std_psnr(exact.posterior(world), SAMPLES), found["exact samples", None]["std_psnr"]
    checks += [
        Check("consistency, exact samples, std_psnr, 3 s.e.", told.mean, by_psnr, 3 * told.se + FINITE * by_psnr),
        *_bought(found, rates[-1]),
    ]
    rate_rows, rate_checks = _rates(problems)
    tables = {
        "consistency": table(_header(), rows, 3),
        "consistency_rates": table(RATE_HEADER, rate_rows, 3),
        **places(runs / "portraits_consistency"),
    }
    return Findings(tables, checks + rate_checks, partial(_draw, world, found, right))


def _header() -> list[str]:
    parts = ("mean square error", "spread seen", "unseen", "CRPS", "coverage seen", "first step's use")
    return ["", "std_psnr", *(column for part in parts for column in (part, "exact"))]


def _bought(found: dict, rate: float) -> list[Check]:
    """A sample of a large rate is nearer to the truth than an exact one; as an ensemble its samples are worse."""
    sharp, true = found["DSG", rate], found["exact samples", None]
    what = f"consistency, DSG {rate:g} against exact samples"
    return [
        Check(f"{what}: less error", sharp["error"].mean, true["error"].mean, 0.0, below=True),
        Check(f"{what}: exact samples have less CRPS", true["crps"].mean, sharp["crps"].mean, 0.0, below=True),
    ]


RATE_HEADER = ["σ_y, steps", "w, spread right", "by stated_for", "w, coverage 0.9", "w, least CRPS", "spread there",
               "error there over exact", "error at w = 0.5"]  # fmt: skip


def _rates(problems: Problems) -> tuple[list[list], list[Check]]:
    """By the exact law alone; a rate that was found for 100 steps says one for others (`DSG.stated_for`)."""
    rows, checks = [], []
    for sigma in (0.1, 0.3, 1.0):
        for steps in (STEPS, 400):
            world = problems.world(steps, sigma)
            ratio, nominal, best = calibrated(world)
            pull = calibrated(problems.world(STEPS, sigma))[0]
            pull = pull / (1 - pull) * math.sqrt(STEPS / steps)
            at_best, true = exact.dsg(world, best), exact.posterior(world).error
            stated = pull / (1 + pull)
            rows.append([f"{sigma:g}, {steps}", ratio, stated, nominal, best, at_best.seen_ratio,
                         at_best.error / true, exact.dsg(world, 0.5).error / true])  # fmt: skip
            if steps != STEPS:
                what = f"consistency, σ_y = {sigma:g}, {steps} steps, the calibrated rate, stated for {STEPS}"
                checks.append(Check(what, stated, ratio, 0.1 * ratio))
    return rows, checks


def _draw(world: World, found: dict, right: float) -> Figure:
    figure, (spread, score, trade) = plt.subplots(1, 3, figsize=(13, 3.9), layout="constrained")
    grid = np.linspace(0.005, 0.5, 100)
    laws = [exact.dsg(world, w) for w in grid]
    rates = [w for name, w in found if name == "DSG"]
    for ax, name, of_law, label, colour in (
        (spread, "seen", lambda law: law.seen_ratio, "measured numbers", "tab:blue"),
        (spread, "unseen", lambda law: math.sqrt(law.u), "others", "tab:orange"),
        (score, "crps", lambda law: law.crps, "CRPS", "tab:green"),
        (score, "coverage", lambda law: law.seen_coverage(SAMPLES), "coverage of measured numbers", "tab:red"),
        (score, "std_psnr", None, "std_psnr, dB", "0.4"),
    ):
        if of_law is not None:
            ax.plot(grid, [of_law(law) for law in laws], color=colour)
        means, bars = ([getattr(found["DSG", w][name], part) for w in rates] for part in ("mean", "se"))
        ax.errorbar(rates, means, [3 * bar for bar in bars], fmt="o", ms=4, color=colour, label=label)
    spread.axhline(1, color="0.6", lw=0.8)
    spread.set(yscale="log", ylabel="spread over the posterior's", title="over-confident below 1")
    score.axhline(NOMINAL, color="tab:red", lw=0.8, ls=":")
    score.set(title="CRPS, coverage, std_psnr")
    for ax in (spread, score):
        ax.axvline(right, color="0.6", lw=0.8, ls="--")
        ax.set(xlabel="DSG's rate w")
        ax.legend(fontsize=8, loc="upper right")
    sizes = np.geomspace(0.1, 40, 100)
    trade.plot([law.error for law in laws], [law.crps for law in laws], color="tab:blue")
    trade.plot(
        [exact.dps(world, z).error for z in sizes], [exact.dps(world, z).crps for z in sizes], color="tab:purple"
    )
    for name, colour in (("DSG", "tab:blue"), ("DPS", "tab:purple"), ("exact samples", "black")):
        own = [told for (method, _), told in found.items() if method == name]
        marks = [t["error"].mean for t in own], [t["crps"].mean for t in own]
        trade.plot(*marks, "*" if name == "exact samples" else "o", color=colour, ms=9 if colour == "black" else 4,
                   label=name)  # fmt: skip
    trade.set(xlabel="mean square error of a sample", ylabel="CRPS", title="nearer samples, worse ensembles",
              xlim=(0.7, 1.6), ylim=(0.35, 0.5))  # fmt: skip
    trade.legend(fontsize=8, loc="upper left")
    return figure
