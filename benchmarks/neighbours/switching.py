"""A class above a level and another below it: how two groups mix, and what the published search for the level sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.neighbours.exact.switching import (
    balanced_time,
    half_way,
    judged_share,
    ode_share,
    own_path_drive,
    same_state_drive,
    sde_share,
    unequal_drive,
)
from benchmarks.neighbours.switch_search import search
from benchmarks.theory.bias import Moments
from benchmarks.theory.ensemble import DEEP, sample
from dsg.combiners import Switching
from dsg.diffusion.continuous_spacing import LogSNR
from dsg.diffusion.kernels import EulerMaruyama, Heun
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.schedule import NoiseSchedule
from dsg.models.mixture import GaussianMixture

LINEAR = NoiseSchedule()  # of the published search: 1000 steps, ā_T = 4e-5
SPREADS = (0.1, 0.3, 0.5, 1.0)
LEVELS = (-3.0, -1.0, 0.0, 1.5, 3.0)  # log-SNR of the measured switches
FIRST, SECOND = -1.0, 1.0  # the groups' means
UNLIKE = ((0.1, 0.3), (0.3, 1.0), (1.0, 0.3))  # deviations of the first and of the second group
PUBLISHED = {0.1: (710, 510), 0.3: (710, 540), 0.5: (710, 560), 1.0: (730, 600)}  # τ with β_t and without it


def groups(s: float, schedule: NoiseSchedule) -> GaussianMixture:
    """N(−1, s²) and N(1, s²); classes 0 and 1."""
    return GaussianMixture([1.0, 1.0], [[FIRST], [SECOND]], s**2, [0, 1], schedule=schedule)


def between(log_snr: float, steps: int) -> tuple[NoiseLevel, NoiseLevel]:
    """The level in the middle of the step around a log-SNR, and the level where that step ends.

    A switch there is one in the middle for Heun, whose two evaluations are on either side, and one at the end for
    samplers of one evaluation.
    """
    levels = [step.log_snr for step in LogSNR().steps(DEEP, steps)]
    i = int(np.searchsorted(levels, log_snr))
    return DEEP.at((levels[i - 1] + levels[i]) / 2), DEEP.at(levels[i])


def share(mean: float) -> float:
    """ρ of the samples' mean."""
    return (mean - SECOND) / (FIRST - SECOND)


def ode(s: float, at: NoiseLevel, steps: int) -> tuple[float, float]:
    """ρ and the deviation of what Heun makes, from the images of z = ±1."""
    starts = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    low, high = sample(groups(s, DEEP), 0, 2, Heun(), steps, combiner=Switching(at.t, 0, 1), x_T=starts)[:, 0].tolist()
    return share((high + low) / 2), (high - low) / 2


def sde(s: float, at: NoiseLevel, count: int, steps: int) -> tuple[float, float, float]:
    """ρ by propagation of the law, that of `count` samples, and its standard error."""
    law = Moments()
    x = sample(groups(s, DEEP), 0, count, EulerMaruyama(), steps, combiner=Switching(at.t, 0, 1), observe=law)
    return share(law.mean), share(x.mean().item()), (x.std() / count**0.5 / abs(FIRST - SECOND)).item()


def found(s: float, count: int, steps: int, weighted: bool) -> float:
    """τ of the published search, run."""
    first, second = torch.zeros(count, dtype=torch.long), torch.ones(count, dtype=torch.long)
    x_T = torch.randn(count, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return search(groups(s, LINEAR), first, second, x_T, steps, weighted)


def run(reduced: bool, runs: Path) -> Findings:
    ode_steps, count, sde_steps = (200, 1_000, 120) if reduced else (1200, 10_000, 600)
    spreads, levels = ((1.0,), LEVELS[1::2]) if reduced else ((0.3, 1.0), LEVELS)
    rows, checks = [], []
    for s in spreads:
        for log_snr in levels:
            at, _ = between(log_snr, ode_steps)
            by_ode, deviation = ode(s, at, ode_steps)
            exact = float(ode_share(at.alpha_bar, s))
            sde_at, sde_switch = between(log_snr, sde_steps)
            law, seen, error = sde(s, sde_at, count, sde_steps)
            exact_sde = float(sde_share(sde_switch.alpha_bar, s))
            rows.append([f"{s:g}", at.alpha_bar, by_ode, exact, law, seen, error, exact_sde])
            name = f"switching, s = {s:g}, ā = {at.alpha_bar:.3f}"
            checks += [
                Check(f"{name}, ODE, ρ", by_ode, exact, 5e-3 if reduced else 1e-4),
                Check(f"{name}, ODE, deviation", deviation, s, (5e-3 if reduced else 1e-4) * s),
                Check(f"{name}, SDE, ρ of the law", law, exact_sde, 0.03 if reduced else 0.004),
                Check(f"{name}, SDE, ρ of {count} samples, 3 s.e.", seen, law, 3 * error),
            ]
    searched, more = _searches(reduced)
    tables = {
        "switching": table(
            ["s", "ā of the switch", "ρ, ODE", "exact", "ρ, SDE", "samples", "s.e.", "exact"], rows
        ),
        "switching_search": table(
            ["s", "half-way: ā", "τ", "SDE: ā", "τ", "published τ", "1 − 2ρ there", "without β: τ", "1 − 2ρ",
             "at one state, without β: τ", "1 − 2ρ"], searched,
        ),
    }  # fmt: skip
    tables["switching_shapes"] = table(
        ["s of the first", "of the second", "half-way: τ", "published τ", "1 − 2ρ there"], _unlike()
    )
    return Findings(tables, checks + more, _draw)


def _unlike() -> list[list[str | float | int]]:
    """Rows by pairs of deviations; ρ is that of the second group's, whoever the first is."""
    rows: list[list[str | float | int]] = []
    for first, second in UNLIKE:
        tau = balanced_time(unequal_drive(LINEAR.alpha_bar, first, second))
        best = int(np.abs(LINEAR.alpha_bar - half_way(second)).argmin())
        rows.append([f"{first:g}", f"{second:g}", best, tau, 1 - 2 * float(ode_share(LINEAR.alpha_bar[tau], second))])
    return rows


def _searches(reduced: bool) -> tuple[list[list[str | float | int]], list[Check]]:
    alpha_bar = LINEAR.alpha_bar
    count, steps, apart = (8, 250, 12.0) if reduced else (256, 1000, 0.0)
    rows, checks = [], []
    for s in SPREADS:
        row: list[str | float | int] = [f"{s:g}"]
        for stochastic in (False, True):
            level = half_way(s, stochastic)
            row += [level, int(np.abs(alpha_bar - level).argmin())]
        for drive, weighted in ((own_path_drive, True), (own_path_drive, False), (same_state_drive, False)):
            tau = balanced_time(drive(alpha_bar, s, weighted))
            row += [tau, 1 - 2 * float(ode_share(alpha_bar[tau], s))]
            if drive is not own_path_drive:
                continue
            what = f"switching, s = {s:g}, published search{'' if weighted else ' without β'}"
            checks.append(Check(f"{what}, τ by its closed form", tau, PUBLISHED[s][not weighted], 0.0))
            if (s == 1.0 and weighted) or (not reduced and s in (0.1, 1.0)):
                checks.append(Check(f"{what}, τ by its paths", found(s, count, steps, weighted), tau, apart))
        rows.append(row)
    for stochastic, level in ((False, 0.25), (True, 0.5)):
        checks.append(
            Check(f"switching, half-way at s = 1, stochastic: {stochastic}", half_way(1.0, stochastic), level, 0.0)
        )
    largest = own_path_drive(alpha_bar, 1.0).max() * abs(FIRST - SECOND)
    checks.append(Check("switching, the largest r_t of the published search", float(largest), 0.0, 1e-3, below=True))
    return rows, checks


def _draw() -> Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
    alpha_bar, times = LINEAR.alpha_bar, np.arange(1000)
    for s, colour in zip(SPREADS, ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=True):
        left.plot(times, ode_share(alpha_bar, s), color=colour, label=f"s = {s:g}")
        left.plot(times, sde_share(alpha_bar, s), color=colour, ls=":")
        for drive, weighted, mark in ((own_path_drive, True, "v"), (same_state_drive, False, "o")):
            tau = balanced_time(drive(alpha_bar, s, weighted))
            left.plot(tau, ode_share(alpha_bar[tau], s), mark, color=colour, mfc="none", clip_on=False)
    left.axhline(0.5, color="0.6", lw=0.8)
    left.set(xlabel="τ", ylabel="ρ", title="what is left of the first group: ODE, SDE dotted")
    left.legend(title="▽ published, ○ at one state", fontsize=8)
    for distance in (2.0, 6.0, 20.0):
        right.plot(times, judged_share(ode_share(alpha_bar, 1.0), 1.0, distance), label=f"distance {distance:g} s")
    right.axhline(0.5, color="0.6", lw=0.8)
    right.set(xlabel="τ", ylabel="share", title="samples nearer to the first group, s = 1")
    right.legend(fontsize=8)
    return figure
