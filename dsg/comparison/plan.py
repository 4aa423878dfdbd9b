"""The `comparison` section of a configuration: what is compared, checked as far as it can be without building it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from dsg.command.merge import Settings
from dsg.comparison.budget import Budget
from dsg.comparison.candidate import Axis
from dsg.comparison.entries import ENTRIES, read_with_entries
from dsg.comparison.published import PublishedNumber, of_what_is_left, read_published
from dsg.errors import UserError
from dsg.metrics.direction import LESS, MORE, Direction, direction_of, has_no_direction

TUNING_KEYS = ("metric", "budget")
"""What `tuning` holds beside the settings of its runs."""


@dataclass(frozen=True)
class Comparison:
    """Every method on every task under every setting, over the same images, measurements and seeds.

    Args:
        tasks: name: settings of `predict` that make the task; each entry may `include` files, relative to this one's,
            and have `metrics` of its own, which come before those of all.
        methods: name: settings that make the method; under `tune`, dotted keys with the values to choose from: a list,
            or `{values: [...], least: ..., most: ...}` where the parameter itself ends at least or most.
        settings: name: further settings, a third axis; by default one, called default.
        tuning: settings of the runs that choose the candidate, on images of their own; `metric`, which chooses, or
            `task: metric` for each; and `budget`, `candidates: N` or `evaluations: N`: where the best value is at an
            end of its list, the next one beyond is tried too, until it lies inside or the budget is spent. Without a
            budget all methods that tune have the same number of candidates (the product of their lists' lengths).
        metrics: columns of per_image.csv; the first of a task is plotted, and compared with the baseline in the printed
            tables.
        optional_metrics: those of `metrics` that may be missing, for example for want of a network's weights.
        baseline: the method that the others are compared with, image by image; by default the first.
        cells: columns that divide the images into cells, over which each metric is rebalanced and its worst case taken:
            `label`, a trait of the portraits, a column of the metadata, `folder`, or several together as hat+beard.
        gamma: how far from uniform, in nats, the mixture of cells may be in the worst case: from 0, the mean of the
            cells, to log m, the worst of m cells; by default 1, or log m where that is less.
        unfit: error, or skip: leave a method out where it does not fit the task, and say why in the table.
        larger_is_better: metric: true or false, for a metric whose direction the comparison does not know.
        published: what papers state, shown beside ours: `task: {method: {metric: {value, source}}}`, with `variant` for
            what was measured otherwise than here, and is not compared, and `setting` where there are several.

    Raises:
        UserError: for sections that do not hold what they should, and for unequal numbers of candidates.
    """

    tasks: dict[str, Settings]
    methods: dict[str, Settings]
    metrics: list[str]
    settings: dict[str, Settings] = field(default_factory=lambda: {"default": {}})
    tuning: Settings | None = None
    optional_metrics: list[str] = field(default_factory=list)
    baseline: str | None = None
    cells: list[str] = field(default_factory=list)
    gamma: float | None = None
    unfit: str = "error"
    larger_is_better: dict[str, bool] = field(default_factory=dict)
    published: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in ENTRIES:
            _check_entries(kind, getattr(self, kind))
        for kind in ("metrics", "optional_metrics"):
            _check_names(kind, getattr(self, kind))
        _check_names("cells", self.cells, "columns")
        is_number = isinstance(self.gamma, int | float) and not isinstance(self.gamma, bool)
        if self.gamma is not None and not (is_number and self.gamma >= 0):
            raise UserError(f"comparison.gamma: must be a number of nats, at least 0, got {self.gamma!r}")
        for task in self.tasks:
            _check_names(f"tasks.{task}.metrics", self.tasks[task].get("metrics", []))
            if not self.metrics_of(task):
                raise UserError("comparison.metrics: names no metric; give a list, for example [psnr, ssim]")
        if self.baseline is not None and self.baseline not in self.methods:
            raise UserError(f"comparison.baseline: {self.baseline!r} is none of the methods {', '.join(self.methods)}")
        _check_choice("unfit", self.unfit, ("error", "skip"))
        better = self.larger_is_better
        if not isinstance(better, dict) or not all(isinstance(sign, bool | None) for sign in better.values()):
            raise UserError(f"comparison.larger_is_better: must be `metric: true or false`, got {better!r}")
        self._check_tuning()
        for metric in self.all_metrics:
            self.direction(metric)
        _ = self.published_numbers  # which are checked as they are read
        for metric in {self.tuned_by(task) for task in self.tasks if self.tuning}:
            if not self.direction(metric).sign:
                why = "a smaller loss may fit the measurement's noise; take residual, or, where there is none, say"
                if metric != "loss":
                    why = f"neither more nor less of {metric} is better; take another metric, or say"
                raise UserError(f"comparison.tuning.metric: {why} `{metric}: false` in comparison.larger_is_better")

    def _check_tuning(self) -> None:
        if self.tuning is not None:
            stated = self.tuning.get("metric") if isinstance(self.tuning, dict) else None
            if not isinstance(stated, str) and not (isinstance(stated, dict) and self.tasks.keys() <= stated.keys()):
                raise UserError(
                    "comparison.tuning: names no `metric` to choose by, for example metric: psnr, or `task: metric` of "
                    "every task"
                )
        sizes = {name: math.prod(len(axis.values) for axis in self.axes(name)) for name in self.methods}
        sizes = {name: size for name, size in sizes.items() if "tune" in self.methods[name]}
        if sizes and self.tuning is None:
            raise UserError(
                f"comparison.tuning: is missing, and {', '.join(sizes)} have values to choose from (`tune`)"
            )
        if self.tuning is not None and not sizes:
            raise UserError("comparison.tuning: no method has a `tune` to choose from; take one of the two away")
        if budget := self.budget:
            for name, size in sizes.items():
                budget.check(name, size, cost=0.0)  # what a candidate costs in evaluations, the first run of it tells
        elif len(set(sizes.values())) > 1:
            numbers = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise UserError(
                f"comparison.methods: unequal numbers of tuning candidates: {numbers}; make them equal, or state "
                "comparison.tuning.budget"
            )

    def metrics_of(self, task: str) -> list[str]:
        """What a task's runs are measured by: its own metrics, and then those of all."""
        return list(dict.fromkeys([*self.tasks[task].get("metrics", []), *self.metrics]))

    def needed(self, task: str) -> list[str]:
        """Those of `metrics_of` that may not be missing."""
        return [metric for metric in self.metrics_of(task) if metric not in self.optional_metrics]

    @property
    def all_metrics(self) -> list[str]:
        """Those of all tasks, each once."""
        return list(dict.fromkeys(metric for task in self.tasks for metric in self.metrics_of(task)))

    @cached_property
    def published_numbers(self) -> list[PublishedNumber]:
        """What papers state of the runs."""
        return read_published(self.published, self.tasks, self.methods, self.settings, self.metrics_of)

    def tuned_by(self, task: str) -> str:
        """The metric that chooses the candidates on a task."""
        stated = (self.tuning or {})["metric"]
        return stated if isinstance(stated, str) else stated[task]

    @property
    def budget(self) -> Budget | None:
        """What a method may spend on tuning beyond what it begins with; None: nothing."""
        stated = (self.tuning or {}).get("budget")
        return None if stated is None else Budget.read(stated)

    def axes(self, method: str) -> list[Axis]:
        """The keys that a method tunes."""
        where, tune = f"comparison.methods.{method}.tune", self.methods[method].get("tune", {})
        if not isinstance(tune, dict) or ("tune" in self.methods[method] and not tune):
            raise UserError(f"{where}: must hold `dotted.key: [values]`, got {tune!r}")
        return [Axis.read(where, key, values) for key, values in tune.items()]

    def direction(self, metric: str, noisy: bool = True) -> Direction:
        """What is better of `metric`: nothing of a spread, and of a `loss` only where measurements are not `noisy`.

        Raises:
            UserError: if nobody knows.
        """
        if (stated := self.larger_is_better.get(metric)) is not None:
            return MORE if stated else LESS
        found = direction_of(metric, noisy)
        if found.sign or has_no_direction(metric):
            return found
        raise UserError(f"comparison.larger_is_better: is more of {metric} better? say `{metric}: true` or `false`")

    @property
    def reference(self) -> str:
        """The baseline's name."""
        return self.baseline or next(iter(self.methods))


def read_comparison(files: Sequence[str | Path]) -> tuple[Comparison, Settings]:
    """The comparison that `files` describe, and the settings that all its runs share.

    Raises:
        UserError: for files that cannot be read, and for sections that do not hold what they should.
    """
    shared = read_with_entries(files)
    section = shared.pop("comparison", None)
    if not isinstance(section, dict):
        raise UserError(
            f"comparison: no such section in {', '.join(map(str, files))}; docs/comparison.md has an example"
        )
    known = {f.name: f for f in fields(Comparison)}
    for name in section:
        if name not in known:
            similar = get_close_matches(name, known, n=1)
            hint = f"did you mean {similar[0]}?" if similar else f"there are {', '.join(known)}"
            raise UserError(f"comparison.{name}: no such key; {hint}")
    needed = (n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING)
    for name in needed:
        if name not in section:
            raise UserError(f"comparison.{name}: is missing; docs/comparison.md has an example")
    kept = {name: _without_nulls(value) if name in ENTRIES else value for name, value in section.items()}
    kept["published"] = of_what_is_left(section.get("published", {}), section)
    return Comparison(**kept), shared


def _without_nulls(entries: Any) -> Any:
    """An overriding file takes an entry away by `name: null`."""
    return {n: e for n, e in entries.items() if e is not None} if isinstance(entries, dict) else entries


def _check_entries(kind: str, entries: Any) -> None:
    if not isinstance(entries, dict) or not entries:
        raise UserError(f"comparison.{kind}: must hold at least one `name: settings`, got {entries!r}")
    for name, entry in entries.items():
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.+-]*", name):
            raise UserError(f"comparison.{kind}: {name!r} names a folder; use letters, digits and _ . + -")
        if not isinstance(entry, dict):
            raise UserError(f"comparison.{kind}.{name}: must hold settings (`key: value`), got {entry!r}")


def _check_names(key: str, value: Any, what: str = "metrics") -> None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UserError(f"comparison.{key}: must be a list of {what}, got {value!r}")


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"comparison.{name}: must be {' or '.join(choices)}, got {value!r}")
