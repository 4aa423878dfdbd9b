"""A suite: what its hash seals, and that the project's own rows are of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from dsg.bench.command import ROWS
from dsg.bench.suite import read_suite
from dsg.comparison.plan import read_comparison
from dsg.errors import UserError

BENCH = Path(__file__).parents[2] / "configs" / "bench"


def sealed(file: Path) -> str:
    return read_suite(str(file)).sealed()["hash"]


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("data.init_args.batch_size", 1, True),
        ("trainer.accelerator", "gpu", True),
        ("comparison.methods", {"unguided": {}}, True),
        ("data.init_args.limit", 3, False),
        ("trainer.precision", "bf16-mixed", False),
        ("model.steps", 4, False),
        ("comparison.tuning.budget", {"candidates": 9}, False),
        ("comparison.tuning.data.init_args.root", "elsewhere", False),
    ],
)
def test_the_hash_seals_what_results_depend_on_and_nothing_else(suite, key, value, same):
    before = sealed(suite)
    file = suite.with_name("noise.yaml")
    content = yaml.safe_load(file.read_text())
    *names, last = key.split(".")
    at = content
    for name in names:
        at = at[name]
    at[last] = value
    file.write_text(yaml.safe_dump(content))
    assert (sealed(suite) == before) is same


@pytest.mark.parametrize("name", ["small", "full"])
def test_a_shipped_suite_has_chapters_that_compare_reads_and_says_what_it_costs(name):
    suite = read_suite(name)
    assert (suite.name, len(suite.chapters)) == (name, 5)
    budgets = set()
    for chapter in suite.chapters:
        comparison, _ = read_comparison([BENCH / f"{name}_{chapter.name}.yaml"])
        assert comparison.unfit == "skip"
        assert comparison.reference == "dps"
        assert comparison.budget is not None
        budgets.add(comparison.budget.amount)
    assert len(budgets) == 1
    assert str(BENCH.parents[1]) not in json.dumps(suite.sealed())  # the hash is the same on every machine
    for file in BENCH.glob(f"{name}*.yaml"):
        head = "".join(line for line in file.read_text().splitlines() if line.startswith("#"))
        assert "Cost: " in head
        assert "train-free-eval" in head


@pytest.mark.parametrize("file", sorted(ROWS.glob("*/*.json")), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_the_rows_that_come_with_the_project_are_of_the_suite_as_it_is(file):
    found = json.loads(file.read_text())
    assert found["suite"]["hash"] == read_suite(file.parent.name).sealed()["hash"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"name": "x", "version": 1}, "must hold bench"),
        ({"name": "x", "version": 1, "chapters": []}, "bench.chapters must hold"),
        ({"name": "x", "version": 1, "chapters": {"a": {}}}, "bench.chapters.a names no `comparison`"),
    ],
)
def test_what_is_no_suite_is_refused(tmp_path, content, said):
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump({"bench": content}))
    with pytest.raises(UserError, match=said):
        read_suite(str(tmp_path / "suite.yaml"))
