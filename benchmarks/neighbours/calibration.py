"""A guide that is too sure: where no training was, and by a temperature, which DSG over two classes cannot see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.experiments.findings import Findings, table
from benchmarks.neighbours.exact.temperature import ends
from benchmarks.neighbours.temperature import by_methods, by_ode, nearly
from benchmarks.neighbours.worlds import HEADER, WORLDS, of_worlds, worlds

TEMPERATURES = (0.25, 0.5, 1.0, 2.0, 4.0)


def run(reduced: bool, runs: Path) -> Findings:
    temperatures = (0.25, 1.0, 4.0) if reduced else TEMPERATURES
    portraits, ode_steps, count, steps = (40, 150, 300, 40) if reduced else (400, 2000, 2_000, 100)
    found = worlds(portraits)
    seen, checks = of_worlds(found, 0.15 if reduced else 0.05)
    ode, of_ode = by_ode(temperatures, ode_steps, 2e-2 if reduced else 1e-4)
    methods, of_methods = by_methods(temperatures, count, steps)
    cosines, of_cosines = nearly(temperatures, count)

    def draw() -> Figure:
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
        for shift, (role, by_world) in zip((-0.2, 0.2), found.items(), strict=True):
            gaps = [judged.overconfidence for judged in by_world.values()]
            place, errors = np.arange(len(gaps)) + shift, [(gap.high - gap.low) / 2 for gap in gaps]
            left.bar(place, [gap.mean for gap in gaps], 0.36, yerr=errors, label=role)
        left.set_xticks(range(len(WORLDS)), list(WORLDS))
        left.set(ylabel="confidence − accuracy", title=f"{portraits} portraits, 95 %")
        left.legend()
        grid = np.geomspace(min(temperatures), max(temperatures), 41)
        exact = [ends(t).distance for t in grid]
        right.plot(grid, exact, color="0.5", ls="--", label="classifier guidance, ODE, exact")
        for name in dict.fromkeys(row[0] for row in methods):
            right.plot(temperatures, [row[5] for row in methods if row[0] == name], "o-", label=name)
        right.set(xscale="log", xlabel="temperature T of the guide", title="two classes, 16 dimensions")
        right.set_xticks(temperatures, [f"{t:g}" for t in temperatures])
        right.minorticks_off()
        right.set(ylabel="W₁ to the class, along its axis", ylim=(0, None))
        right.legend()
        return figure

    both = [name for what in ("E[1/p]", "E[p]", "mean", "W₁") for name in (what, "exact")]
    of_samples = ["method", "T", f"E[1/p], {count} samples", "s.e.", "E[p]", "W₁", "furthest from its twin at T = 1"]
    tables = {
        "calibration_worlds": table([f"classifier, world ({portraits} portraits)", *HEADER], seen, 3),
        "calibration_ode": table(["T", *both], ode, 5),
        "calibration_methods": table(of_samples, methods, 3),
        "calibration_cosines": table(["classes", *(f"T = {t:g}" for t in temperatures if t != 1.0)], cosines),
    }
    return Findings(tables, [*checks, *of_ode, *of_methods, *of_cosines], draw)
