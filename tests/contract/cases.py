"""The cases that tests ask for by the name of a fixture: of all axes, of two of them, or the values of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar

from dsg.models.base import ScoreModel
from tests.contract.axes import MODELS, TASKS, Combining, Solver
from tests.contract.design import AXES, UNGUIDED, Axes, Case, covering, product
from tests.contract.methods import Method

PLAIN = next(iter(AXES.combiner.values()))
OF_PAIRS = [(model, task) for model in MODELS.values() for task in TASKS.values()]


class Cases:
    """Those of some axes.

    - `case`: every pair of values of two axes meets in one of them.
    - `pair`: a method under a kernel, on the first model and task that suit both; `refused_pair` where none does.
    - `duo`: a combiner under a kernel, without guidance; `refused_duo` likewise.
    - `part`: every method, kernel, combiner, task and model once, with what is plain beside it.
    - `method`, `kernel`, `combiner`, `model`: every value of one axis.
    """

    FIXTURES: ClassVar[dict[str, frozenset[str]]] = {
        "case": frozenset({"model", "task", "method", "kernel", "combiner"}),
        "pair": frozenset({"method", "kernel"}),
        "refused_pair": frozenset({"method", "kernel"}),
        "duo": frozenset({"combiner", "kernel"}),
        "refused_duo": frozenset({"combiner", "kernel"}),
        "part": frozenset({"model", "task", "method", "kernel", "combiner"}),
        "method": frozenset({"method"}),
        "kernel": frozenset({"kernel"}),
        "combiner": frozenset({"combiner"}),
        "model": frozenset({"model"}),
    }

    def __init__(self, axes: Axes | None = None) -> None:
        self.axes = axes or AXES
        self._found: dict[tuple[str, bool], Mapping[str, Any]] = {}

    def values(self, fixture: str, full: bool = False) -> Mapping[str, Any]:
        """Those of a fixture, found once for all tests that ask; where `full`, every case that fits."""
        if (fixture, full) not in self._found:
            self._found[fixture, full] = self.every_case() if full else getattr(self, f"each_{fixture}")()
        return self._found[fixture, full]

    def each_case(self) -> dict[str, Case]:
        return {"-".join(row): self.axes.case(row) for row in self._design}

    def every_case(self) -> dict[str, Case]:
        return {"-".join(row): self.axes.case(row) for row in product(self.axes)}

    def each_pair(self) -> dict[str, Case]:
        return {name: case for name, case in self._pairs.items() if case.refusal() is None}

    def each_refused_pair(self) -> dict[str, Case]:
        return {name: case for name, case in self._pairs.items() if case.refusal() is not None}

    def each_duo(self) -> dict[str, Case]:
        return {name: case for name, case in self._duos.items() if case.refusal() is None}

    def each_refused_duo(self) -> dict[str, Case]:
        return {name: case for name, case in self._duos.items() if case.refusal() is not None}

    def each_part(self) -> dict[str, Case]:
        axes = self.axes
        guided, solver = axes.method.get("dps", next(iter(axes.method.values()))), next(iter(axes.kernel.values()))
        found = {name: self._suiting(method, solver, PLAIN) for name, method in axes.method.items()}
        found |= {name: self._suiting(guided, of, PLAIN) for name, of in axes.kernel.items()}
        found |= {name: self._suiting(guided, solver, of) for name, of in axes.combiner.items()}
        model = MODELS["toy of classes"]
        found |= {name: Case(model, task, guided, solver, PLAIN) for name, task in axes.task.items()}
        found |= {name: self._on(model, guided) for name, model in axes.model.items()}
        return {name: case for name, case in found.items() if case.refusal() is None}

    def each_method(self) -> Mapping[str, Method]:
        return self.axes.method

    def each_kernel(self) -> Mapping[str, Solver]:
        return self.axes.kernel

    def each_combiner(self) -> Mapping[str, Combining]:
        return self.axes.combiner

    def each_model(self) -> Mapping[str, ScoreModel]:
        return self.axes.model

    @cached_property
    def _design(self) -> list[tuple[str, ...]]:
        return covering(self.axes)

    @cached_property
    def _pairs(self) -> dict[str, Case]:
        """Every method under every kernel, on the first model and task that suit both, else on one that can most."""
        return {
            f"{m}-{k}": self._suiting(method, solver, PLAIN)
            for m, method in self.axes.method.items()
            for k, solver in self.axes.kernel.items()
        }

    @cached_property
    def _duos(self) -> dict[str, Case]:
        return {
            f"{c}-{k}": self._suiting(UNGUIDED, solver, combining)
            for c, combining in self.axes.combiner.items()
            for k, solver in self.axes.kernel.items()
        }

    def _suiting(self, method: Method, solver: Solver, combining: Combining) -> Case:
        able = Case(MODELS["toy of classes"], TASKS["super-resolution"], method, solver, combining)
        return _first_of((Case(model, task, method, solver, combining) for model, task in OF_PAIRS), able)

    def _on(self, model: ScoreModel, method: Method) -> Case:
        """The method on one model, under the first kernel and on the first task that suit both, else under the last."""
        solvers = self.axes.kernel.values()
        cases = [Case(model, task, method, solver, PLAIN) for solver in solvers for task in TASKS.values()]
        return _first_of(cases, cases[-1])


def _first_of(cases: Iterable[Case], otherwise: Case) -> Case:
    """The first that can be sampled."""
    return next((case for case in cases if case.refusal() is None), otherwise)
