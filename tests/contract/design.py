"""Which cases the contract runs: a design in which every pair of axis values that fits meets, or every case that fits.

A pair of a method and a task, of a kernel and a combiner, ... is refused where no case with both can be sampled.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from typing import Any

from allpairspy import AllPairs

import tasks
from dsg.diffusion import Spacing
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError
from dsg.guidance import Unguided
from dsg.models.base import ScoreModel
from dsg.sampling import Sampler
from tasks import Task
from tests.contract.axes import COMBINERS, KERNELS, MODELS, TASKS, Combining, Solver
from tests.contract.methods import METHODS, STEPS, Method


@dataclass(frozen=True)
class Case:
    """One value of every axis."""

    model: ScoreModel
    task: Task
    method: Method
    solver: Solver
    combining: Combining

    def sampler(self) -> Sampler:
        """The sampler of the case. Raises UserError if the case is refused."""
        combiner = self.combining.of(self.model)
        kernel, spacing = self.solver.kernel, self.solver.spacing
        method = self.method
        return Sampler(self.model, self.task, method.guidance, kernel, method.steps, spacing, combiner=combiner)

    def refusal(self) -> str | None:
        """Why the case cannot be sampled, or None."""
        try:
            self.sampler()
        except UserError as error:
            return str(error)
        return None


@dataclass(frozen=True)
class Axes:
    """The values of each axis, by their names; the first of each is the plain one."""

    model: Mapping[str, ScoreModel]
    task: Mapping[str, Task]
    method: Mapping[str, Method]
    kernel: Mapping[str, Solver]
    combiner: Mapping[str, Combining]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (getattr(self, field.name) for field in fields(self))

    def case(self, row: tuple[str, ...]) -> Case:
        """The case of one name of each axis, in the axes' order."""
        return Case(*(values[name] for values, name in zip(self, row, strict=True)))

    @cached_property
    def fits(self) -> Fits:
        """Which rows are accepted; each is asked once, whoever wants to know."""
        return Fits(self)


AXES = Axes(MODELS, TASKS, METHODS, KERNELS, COMBINERS)
UNGUIDED = Method(Unguided(), Unguided(), (STEPS, 0))
NAMES = tuple(field.name for field in fields(Axes))
Pair = tuple[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True)
class Remembered(Spacing):
    """The same steps, found once for every schedule that asks."""

    spacing: Spacing
    found: dict[tuple[Schedule, int], list[Step]] = field(default_factory=dict, compare=False)

    def levels(self, schedule: Schedule, count: int) -> list[NoiseLevel]:
        return self.spacing.levels(schedule, count)

    def steps(self, schedule: Schedule, count: int) -> list[Step]:
        if (schedule, count) not in self.found:
            self.found[schedule, count] = super().steps(schedule, count)
        return self.found[schedule, count]


class Fits:
    """Whether rows of names are accepted, also those that are not complete yet: some completion may be."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.plain = next(iter(COMBINERS.values()))
        self.solvers = {name: replace(of, spacing=Remembered(of.spacing)) for name, of in axes.kernel.items()}
        self._without_combiner, self._under_combiner = cache(self._ask_without_combiner), cache(self._ask_combiner)

    def __call__(self, row: list[str]) -> bool:
        if len(row) == len(NAMES):
            model, task, method, kernel, combiner = row
            if self.axes.method[method].guidance.own_prediction and self.axes.combiner[combiner] is not self.plain:
                return False
            return self._without_combiner(model, task, method, kernel) and self._under_combiner(model, kernel, combiner)
        if len(row) == 4:
            return self._without_combiner(*row)
        return len(row) < 3 or any(self._without_combiner(*row, kernel) for kernel in self.axes.kernel)

    def _ask_without_combiner(self, model: str, task: str, method: str, kernel: str) -> bool:
        axes = self.axes
        case = Case(axes.model[model], axes.task[task], axes.method[method], self.solvers[kernel], self.plain)
        return case.refusal() is None

    def _ask_combiner(self, model: str, kernel: str, combiner: str) -> bool:
        axes = self.axes
        case = Case(axes.model[model], tasks.Denoising(), UNGUIDED, self.solvers[kernel], axes.combiner[combiner])
        return case.refusal() is None


def covering(axes: Axes) -> list[tuple[str, ...]]:
    """Rows of names in which every pair of values of two axes meets that meets in any accepted case."""
    fits = axes.fits
    rows = [tuple(row) for row in AllPairs([list(values) for values in axes], filter_func=fits)]
    left = _pairs(axes) - pairs_of(rows)
    while left:  # the library stops at the first row that would add nothing, where refusals leave it no better one
        pair = min(left)
        candidates = [row for row in _rows_with(axes, *pair) if fits(list(row))]
        found = max(candidates, key=lambda row: len(pairs_of([row]) & left), default=None)
        left -= {pair} if found is None else pairs_of([found])
        rows += [] if found is None else [found]
    return rows


def product(axes: Axes) -> Iterator[tuple[str, ...]]:
    """Every row that is accepted."""
    *others, combiners = axes
    accepted = (row for row in itertools.product(*others) if axes.fits(list(row)))
    return ((*row, combiner) for row in accepted for combiner in combiners if axes.fits([*row, combiner]))


def pairs_of(rows: Iterable[tuple[str, ...]]) -> set[Pair]:
    """The pairs that meet in some row, each as two (axis, name)."""
    return {pair for row in rows for pair in itertools.combinations(zip(NAMES, row, strict=True), 2)}


def _pairs(axes: Axes) -> set[Pair]:
    """All pairs, refused or not."""
    named = [[(axis, name) for name in values] for axis, values in zip(NAMES, axes, strict=True)]
    return {pair for one, other in itertools.combinations(named, 2) for pair in itertools.product(one, other)}


def _rows_with(axes: Axes, *chosen: tuple[str, str]) -> Iterator[tuple[str, ...]]:
    """Every row that has these names."""
    fixed = dict(chosen)
    return itertools.product(
        *([fixed[axis]] if axis in fixed else values for axis, values in zip(NAMES, axes, strict=True))
    )
