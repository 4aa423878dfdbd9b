"""The worst case over cells: the number by four ways, what choosing among noisy cells costs, and fifteen methods.

The exact parts need no run folder. The methods are those of configs/comparison/portraits_linear.yaml: --runs is its
folder, or stands beside it (runs/portraits_linear); where there is none, their tables and figure stay as they are.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.special import ndtri

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.neighbours.exact.worst_case import (
    chosen_by_others,
    dual,
    largest_of_noisy,
    of_normal_cells,
    of_two,
    primal,
    searched,
)
from benchmarks.neighbours.worst_case_methods import comparison_of, of_methods
from dsg.metrics.cross_fit import Halved, cross_fit
from dsg.metrics.worst_case import worst_case

CELLS = 8
LOG_M = math.log(CELLS)
ERRORS = {
    "normal": np.random.default_rng(2410).normal(size=CELLS),
    "one bad cell": np.array([1.0, *[0.0] * (CELLS - 1)]),
    "two alike": np.array([1.0, 1.0, 0.5, *[0.0] * (CELLS - 3)]),
}
GAMMAS = (0.1, 0.5, 1.0, 1.3)
MEANS = {"equal": np.zeros(CELLS), "spread": np.linspace(-1.0, 1.0, CELLS), "one bad": ERRORS["one bad cell"]}
"""Known means of cells, in units of the deviation of an image."""
IMAGES = (2, 4, 8, 32)  # of a cell


def numbers(reduced: bool) -> tuple[list[list[str | float]], list[Check]]:
    """W(γ) beside the dual, the primal, a random search, and where there is one a closed form."""
    rows, checks = [], []
    for name, errors in ERRORS.items():
        for gamma in GAMMAS[1::2] if reduced else GAMMAS:
            found = float(worst_case(errors, gamma))
            by = dual(errors, gamma), primal(errors, gamma), searched(errors, gamma, 500, 6 if reduced else 25, 1)
            rows.append([name, f"{gamma:g}", found, *by])
            what = f"worst_case, {name}, γ = {gamma:g}"
            checks += [
                Check(f"{what}, dual", found, by[0], 1e-6),
                Check(f"{what}, maximum over q", found, by[1], 1e-5),
                Check(f"{what}, random search from below", by[2], found, 1e-9, below=True),
                Check(f"{what}, random search from above", found - by[2], 0.0, 1e-2 if reduced else 1e-3, below=True),
            ]
        ends = worst_case(errors, 0.0), worst_case(errors, LOG_M)
        checks.append(Check(f"worst_case, {name}, γ = 0", float(ends[0]), float(errors.mean()), 1e-12))
        checks.append(Check(f"worst_case, {name}, γ = log m", float(ends[1]), float(errors.max()), 1e-6))
    for gamma in (0.1, 0.5, 0.69):
        found = float(worst_case(np.array([0.0, 2.0]), gamma))
        checks.append(Check(f"worst_case of two cells, γ = {gamma:g}", found, of_two(2.0, gamma), 1e-9))
    many = of_normal(200_000)
    for gamma in (0.5, 1.0):
        found, exact = float(worst_case(many, gamma)), of_normal_cells(0.0, 1.0, gamma)
        checks.append(Check(f"worst_case of many normal cells, γ = {gamma:g}", found, exact, 5e-3))
    return rows, checks


def of_normal(count: int) -> np.ndarray:
    """The quantiles of N(0, 1) at (i + ½)/count."""
    return ndtri((np.arange(count) + 0.5) / count)


def selection(reduced: bool) -> tuple[list[list[str | float | int]], list[Check]]:
    """The mean of the naive and the cross-fitted W over draws of the images, beside W of the known means."""
    rows, checks = [], []
    draws = 200 if reduced else 2000
    for name, means in MEANS.items():
        for images in IMAGES[1:3] if reduced else IMAGES:
            cells = np.repeat(np.arange(CELLS), images)
            drawn = means[cells] + np.random.default_rng([7, images]).normal(size=(draws, len(cells)))
            halved = Halved(cells)
            for gamma, at in ((1.0, "1"), (LOG_M, "log m")):
                truth = float(worst_case(means, gamma))
                naive, fair = worst_case(halved.means(drawn), gamma), halved.value(drawn, gamma)
                errors = [float(found.std(ddof=1)) / math.sqrt(draws) for found in (naive, fair)]
                rows.append([name, images, at, truth, float(naive.mean()), errors[0], float(fair.mean()), errors[1]])
                what = f"worst_case, {name}, {images} images a cell, γ = {at}"
                checks.append(Check(f"{what}: fitted ≤ W", float(fair.mean()), truth, 3 * errors[1], below=True))
                checks.append(Check(f"{what}: W ≤ naive", truth, float(naive.mean()), 3 * errors[0], below=True))
                if at == "log m":
                    whole, half = (1 / math.sqrt(n) for n in (images, images / 2))
                    exact = largest_of_noisy(means, whole), chosen_by_others(means, half)
                    checks.append(Check(f"{what}: naive, 3 s.e.", float(naive.mean()), exact[0], 3 * errors[0]))
                    checks.append(Check(f"{what}: fitted, 3 s.e.", float(fair.mean()), exact[1], 3 * errors[1]))
    return rows, checks


def coverage(reduced: bool) -> list[list[str | float | int]]:
    """How often the interval of W(1) holds its own mean, and how often the truth."""
    draws = 5 if reduced else 100
    rows = []
    for name, means in MEANS.items():
        for images in IMAGES[1:2] if reduced else IMAGES[1::2]:
            cells, truth = np.repeat(np.arange(CELLS), images), float(worst_case(means, 1.0))
            errors = means[cells] + np.random.default_rng([8, images]).normal(size=(draws, len(cells)))
            own = float(Halved(cells).value(errors, 1.0).mean())
            found = [cross_fit(row, cells, 1.0).interval for row in errors]
            held = [100 * float(np.mean([i.low <= value <= i.high for i in found])) for value in (own, truth)]
            rows.append(
                [name, images, f"{held[0]:.1f}", f"{held[1]:.1f}", float(np.mean([i.high - i.low for i in found]))]
            )
    return rows


def run(reduced: bool, runs: Path) -> Findings:
    ways, checks = numbers(reduced)
    chosen, further = selection(reduced)
    header = ["means of cells", "images a cell", "γ", "W", "naive", "s.e.", "cross-fitted", "s.e."]
    tables = {
        "worst_case": table(["errors", "γ", "W(γ)", "dual", "maximum over q", "random search"], ways, 6),
        "worst_case_selection": table(header, chosen),
        "worst_case_coverage": table(
            ["means of cells", "images a cell", "holds its own mean, %", "holds W, %", "width"], coverage(reduced), 3
        ),
    }
    findings = Findings(tables, checks + further, lambda: draw(chosen))
    if not reduced and (folder := comparison_of(runs)) is not None:
        of_methods(folder, findings)
    return findings


def draw(rows: list[list[str | float | int]]) -> Figure:
    """Left: γ ↦ W(γ) of known errors. Right: naive and cross-fitted W(1) over the images of a cell."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
    grid = np.linspace(0, LOG_M, 60)
    for name, errors in ERRORS.items():
        left.plot(grid, [float(worst_case(errors, gamma)) for gamma in grid], label=name)
    left.set(xlabel="γ (nats)", ylabel="W(γ)", title="eight cells: from their mean to the worst of them")
    left.legend()
    for colour, name in zip(("tab:blue", "tab:orange", "tab:green"), MEANS, strict=True):
        here = [row for row in rows if row[0] == name and row[2] == "1"]
        images = [row[1] for row in here]
        right.axhline(float(here[0][3]), color=colour, lw=0.8)
        right.plot(images, [row[4] for row in here], "^--", color=colour, mfc="none", label=f"{name}: naive")
        right.plot(images, [row[6] for row in here], "o-", color=colour, label=f"{name}: cross-fitted")
    right.set(xlabel="images a cell", ylabel="mean of W(1)", xscale="log", title="noise 1 an image; lines: the truth")
    right.set_xticks([row[1] for row in rows if row[0] == "equal" and row[2] == "1"])
    right.xaxis.set_major_formatter("{x:g}")
    right.minorticks_off()
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
