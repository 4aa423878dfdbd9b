"""Masked diffusion of a few tokens: what guidance makes of them, how fast, and how far that is from the joint tilt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.experiments.findings import Check, Findings, table
from benchmarks.neighbours.exact.masked import (
    Guided,
    law,
    leaping_law,
    ordered,
    reciprocal,
    tilt,
    total_variation,
)
from dsg.combiners.scale import PiecewiseLinear
from dsg.data.examples import Examples
from dsg.diffusion.noise import EnsembleStreams, SampleKey
from dsg.masked import Linear, MaskedSampler
from dsg.masked.combiners import ClassifierFree
from dsg.masked.kernels import FirstHitting, TauLeaping, TokenKernel
from dsg.models.tokens import JointTable

ONE_TOLD, ONE = np.array([0.7, 0.2, 0.1]), np.array([0.4, 0.3, 0.3])
SPEEDS = {2.0: (1.3917, 0.3811), 3.0: (2.2437, 0.2111), 5.0: (6.606, 0.0103)}
"""γ: Z, and the share ½^Z that is masked at t = ½, of one token."""

SHARE = 0.25  # of the class
TOLD = np.array([[0.40, 0.04, 0.02], [0.04, 0.30, 0.04], [0.10, 0.04, 0.02]])
OTHER = np.array([[0.02, 0.10, 0.20], [0.08, 0.04, 0.16], [0.02, 0.20, 0.18]])
UNTOLD = SHARE * TOLD + (1 - SHARE) * OTHER
"""Two tokens: the first says little of the class where the second says much, so that their speeds differ."""

SCALES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
LEAPS = (2, 4, 8, 16, 32)
SCHEDULES: Mapping[str, Callable[[float], PiecewiseLinear]] = {
    "constant": lambda w: PiecewiseLinear((0.0,), (w,)),
    "ramp up": lambda w: PiecewiseLinear((0.5, 1.0), (w, 0.0)),  # weak at first, t = 1, and strong late
    "ramp down": lambda w: PiecewiseLinear((0.0, 0.5), (0.0, w)),
    "early": lambda w: PiecewiseLinear((0.5, 0.5), (1.0, w)),
    "late": lambda w: PiecewiseLinear((0.5, 0.5), (w, 1.0)),
}
KINKS = (0.5,)


def two() -> JointTable:
    """Both tables, with the mass of their classes."""
    return JointTable(torch.from_numpy(np.stack([TOLD, OTHER])), [SHARE, 1 - SHARE])


def sampled(
    model: JointTable, combiner: ClassifierFree, kernel: TokenKernel, steps: int | None, count: int
) -> tuple[np.ndarray, float]:
    """The law of samples of class 0, (V, ..., V), and the share of tokens that is masked at t = ½, NaN where no step
    begins there."""
    sampler = MaskedSampler(model, kernel=kernel, steps=steps, combiner=combiner)
    labels = torch.zeros(count, dtype=torch.long)
    process = sampler.begin(Examples(None, {"label": labels}), EnsembleStreams(SampleKey(0, "tokens"), count))
    half, tokens = float("nan"), torch.empty(0)
    for record in sampler.run(process):
        tokens = record.x_prev
        if abs(record.step.t - 0.5) < 1e-9:
            half = record.masked_share.double().mean().item()
    places = torch.tensor([model.vocabulary**i for i in reversed(range(model.length))])
    found = torch.bincount((tokens * places).sum(1), minlength=model.vocabulary**model.length)
    return found.double().numpy().reshape((model.vocabulary,) * model.length) / count, half


def over_time(schedule: PiecewiseLinear) -> Callable[[float], float]:
    """t ↦ γ."""
    return lambda time: schedule.at(Linear().level(time))


def furthest(found: np.ndarray, exact: np.ndarray, count: int) -> float:
    """The largest distance of a cell from its exact chance, in standard errors."""
    error = np.sqrt(exact * (1 - exact) / count)
    return float((np.abs(found - exact)[error > 0] / error[error > 0]).max())


def _most(count: int) -> float:
    """Standard errors that the furthest of several cells may be off: more where fewer samples make a cell coarse."""
    return 3.0 if count > 100_000 else 4.0


def one_token(count: int) -> tuple[list[list], list[Check]]:
    """The share that is masked at t = ½ of one token, exact and sampled."""
    model = JointTable(torch.from_numpy(np.stack([ONE_TOLD, 2 * ONE - ONE_TOLD])))
    rows, checks = [], []
    for scale, (speed, share) in SPEEDS.items():
        tilted, exact = tilt(ONE_TOLD, ONE, scale)
        checks += [
            Check(f"masked, one token, γ = {scale:g}, Z", exact, speed, 5e-4 if exact > 5 else 1e-4),
            Check(f"masked, one token, γ = {scale:g}, masked at ½", 0.5**exact, share, 1e-4),
        ]
        row: list = [f"{scale:g}", exact, 0.5**exact]
        for normalised, expected in ((False, 0.5**exact), (True, 0.5)):
            found, half = sampled(model, ClassifierFree(scale, normalised), TauLeaping(), 2, count)
            error = (expected * (1 - expected) / count) ** 0.5
            name = f"masked, one token, γ = {scale:g}, {'' if normalised else 'not '}normalised"
            checks += [
                Check(f"{name}, masked at ½, 3 s.e. of {count}", half, expected, 3 * error),
                Check(f"{name}, the tilt, in s.e.", furthest(found, tilted, count), 0.0, _most(count), below=True),
            ]
            row += [half, error]
        rows.append(row)
    return rows, checks


def two_tokens(scales: tuple[float, ...], count: int) -> tuple[list[list], list[Check]]:
    """Both laws of two tokens under constant guidance: closed form, master equation, samples; and the joint tilt."""
    model, rows, checks = two(), [], []
    for scale in scales:
        joint = tilt(TOLD, UNTOLD, scale)[0]
        row: list = [f"{scale:g}"]
        for normalised in (True, False):
            name = f"masked, two tokens, γ = {scale:g}, {'' if normalised else 'not '}normalised"
            exact = ordered(TOLD, UNTOLD, scale, normalised)
            guided = Guided(TOLD, UNTOLD, lambda t, scale=scale: scale, normalised)
            found, _ = sampled(model, ClassifierFree(scale, normalised), FirstHitting(), None, count)
            apart = total_variation(law(guided), exact)
            checks += [
                Check(f"{name}, master equation, TV", apart, 0.0, 1e-4),
                Check(
                    f"{name}, first hitting, {count} samples, in s.e.",
                    furthest(found, exact, count),
                    0,
                    _most(count),
                    True,
                ),
            ]
            row += [total_variation(exact, joint), reciprocal(exact, TOLD, UNTOLD, SHARE)]
        rows.append([*row, reciprocal(joint, TOLD, UNTOLD, SHARE)])
        if scale == 1.0:
            checks += [Check("masked, E[1/p] at γ = 1 is 1/p(c)", row[k], 1 / SHARE, 1e-8) for k in (2, 4)]
        if scale > 1.0:
            what = f"masked, γ = {scale:g}, neither law is the tilt: −TV"
            checks += [Check(what, -row[k], -0.01, 0.0, True) for k in (1, 3)]
    falls = [[row[k] for row in rows if float(row[0]) >= 1] for k in (2, 4)]
    rises = max(float(np.diff(values).max()) for values in falls)
    checks.append(Check("masked, E[1/p] falls with γ ≥ 1: its largest rise", rises, 0.0, 0.0, True))
    return rows, checks


def schedules(scales: tuple[float, ...], count: int) -> tuple[list[list], list[Check]]:
    """Distance to the joint tilt of γ under schedules that reach γ, and one of them sampled."""
    rows, checks = [], []
    shown = SCHEDULES.items() if len(scales) > 1 else [(name, SCHEDULES[name]) for name in ("ramp up", "late")]
    for name, schedule in shown:
        row: list = [name]
        for scale in scales:
            guided = Guided(TOLD, UNTOLD, over_time(schedule(scale)), True, KINKS)
            row.append(total_variation(law(guided), tilt(TOLD, UNTOLD, scale)[0]))
        rows.append(row)
    model, scale = two(), max(scales)
    for name in ("ramp up", "late"):
        exact = law(Guided(TOLD, UNTOLD, over_time(SCHEDULES[name](scale)), True, KINKS))
        found, _ = sampled(model, ClassifierFree(SCHEDULES[name](scale)), FirstHitting(), None, count)
        what = f"masked, {name} to γ = {scale:g}, {count} samples, in s.e."
        checks.append(Check(what, furthest(found, exact, count), 0.0, _most(count), True))
    return rows, checks


def leaps(scale: float, steps: tuple[int, ...], count: int) -> tuple[list[list], list[Check]]:
    """How far τ-leaping is from the law that it leaps over, by steps."""
    model, rows, checks = two(), [], []
    for n in steps:
        row: list = [n]
        for normalised in (True, False):
            guided = Guided(TOLD, UNTOLD, lambda t: scale, normalised)
            exact = leaping_law(guided, n)
            row.append(total_variation(exact, ordered(TOLD, UNTOLD, scale, normalised)))
            if n == steps[1]:
                found, _ = sampled(model, ClassifierFree(scale, normalised), TauLeaping(), n, count)
                what = f"masked, {n} leaps, {'' if normalised else 'not '}normalised, {count} samples, in s.e."
                checks.append(Check(what, furthest(found, exact, count), 0.0, _most(count), True))
        rows.append([*row, row[2] / row[1]])
    largest = max(row[1] / row[2] for row in rows)
    checks.append(Check("masked, normalised leaps err less: largest ratio of TV", largest, 1.0, 0.0, True))
    return rows, checks


def run(reduced: bool, runs: Path) -> Findings:
    count = 20_000 if reduced else 400_000
    scales = SCALES[1::2] if reduced else SCALES
    one, checks = one_token(count)
    pair, further = two_tokens(scales, count)
    timed, of_schedules = schedules(scales[-1:] if reduced else scales[2:], count)
    leapt, of_leaps = leaps(5.0, LEAPS[:3] if reduced else LEAPS, count)
    tables = {
        "masked_one": table(["γ", "Z", "½^Z", "masked at ½", "s.e.", "normalised", "s.e."], one),
        "masked_two": table(
            ["γ", "normalised: TV to the tilt", "E[1/p]", "not: TV to the tilt", "E[1/p]", "tilt: E[1/p]"], pair
        ),
        "masked_schedules": table(
            ["schedule", *(f"γ = {g:g}" for g in (scales[-1:] if reduced else scales[2:]))], timed
        ),
        "masked_leaps": table(["steps", "normalised: TV", "not: TV", "ratio"], leapt),
    }
    return Findings(tables, [*checks, *further, *of_schedules, *of_leaps], lambda: _draw(one, pair, leapt))


def _draw(one: list[list], two: list[list], leapt: list[list]) -> Figure:
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.6, 3.8), layout="constrained")
    times = np.linspace(0, 1, 101)
    left.plot(times, times, color="black", label="normalised, all γ")
    for (scale, speed, *_), colour in zip(one, ("tab:blue", "tab:orange", "tab:red"), strict=True):
        left.plot(times, times**speed, color=colour, label=f"not, γ = {scale}")
    for row, colour in zip(one, ("tab:blue", "tab:orange", "tab:red"), strict=True):
        left.plot([0.5], [row[3]], "o", mfc="none", color=colour)
        left.plot([0.5], [row[5]], "o", mfc="none", color="black")
    left.set(xlabel="t, from 1 to 0", ylabel="share masked", title="one token: tᶻ against t", xlim=(1, 0))
    left.legend()
    scales = [float(row[0]) for row in two]
    for column, label in ((1, "normalised"), (3, "not normalised")):
        middle.plot(scales, [row[column] for row in two], "o-", label=label)
    middle.set(xlabel="γ", title="two tokens: TV to the joint tilt")
    middle.legend()
    steps = [row[0] for row in leapt]
    right.loglog(steps, [row[1] for row in leapt], "o-", label="normalised")
    right.loglog(steps, [row[2] for row in leapt], "o-", label="not normalised")
    right.set(xlabel="steps", title="two tokens, γ = 5: TV by τ-leaping")
    right.set_xticks(steps, map(str, steps))
    right.set_yticks([0.02, 0.05, 0.1, 0.2, 0.3], ["0.02", "0.05", "0.1", "0.2", "0.3"])
    right.minorticks_off()
    right.legend()
    return figure
