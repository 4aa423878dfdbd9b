"""The experiments of the pages on theory and its neighbours come out, with fewer samples and steps."""

from pathlib import Path

import pytest

from benchmarks import neighbours, theory
from benchmarks.experiments.command import main
from benchmarks.experiments.findings import Check, put_tables

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"theory": theory.EXPERIMENTS, "neighbours": neighbours.EXPERIMENTS}
ELSEWHERE = {"general", "portraits"}  # test_experiments_portraits.py
CASES = [(page, name) for page, experiments in PAGES.items() for name in experiments if name not in ELSEWHERE]


@pytest.mark.parametrize(("topic", "name"), CASES)
def test_every_number_comes_out_and_every_table_has_its_place_on_the_page(topic, name, tmp_path):
    findings = PAGES[topic][name](True, tmp_path)
    assert [str(check) for check in findings.checks if not check.holds] == []
    page = tmp_path / f"{topic}.md"
    page.write_text((DOCS / f"{topic}.md").read_text())
    assert put_tables(page, findings.tables) == []
    assert findings.draw is not None
    findings.draw().savefig(tmp_path / "figure.png")


def test_a_table_replaces_the_one_before_and_nothing_else(tmp_path):
    page = tmp_path / "theory.md"
    page.write_text("before\n<!-- table: a -->\nold\n<!-- end -->\nafter\n")
    assert put_tables(page, {"a": "new\n", "b": "lost\n"}) == ["b"]
    assert page.read_text() == "before\n<!-- table: a -->\nnew\n<!-- end -->\nafter\n"


def test_a_table_without_an_end_is_told_and_the_page_stays_as_it_is(tmp_path):
    page = tmp_path / "theory.md"
    page.write_text("<!-- table: a -->\nold\n\n## More\n<!-- table: b -->\nold\n<!-- end -->\n")
    before = page.read_text()
    assert put_tables(page, {"a": "new\n"}) == ["a"]
    assert page.read_text() == before
    for topic in PAGES:
        text = (DOCS / f"{topic}.md").read_text()
        assert text.count("<!-- table: ") == text.count("<!-- end -->")


@pytest.mark.parametrize(
    ("measured", "below", "holds"),
    [(1.05, False, True), (0.85, False, False), (0.2, True, True), (1.2, True, False), (float("nan"), True, False)],
)
def test_a_number_holds_within_its_tolerance_and_never_if_it_is_none(measured, below, holds):
    assert Check("x", measured, 1.0, 0.1, below).holds == holds


@pytest.mark.parametrize(
    ("arguments", "words"), [(["nothing"], "no experiment nothing"), (["--docs", "x"], "no theory.md")]
)
def test_what_the_command_does_not_have_is_refused(arguments, words, capsys):
    with pytest.raises(SystemExit) as end:
        main("", "theory", theory.EXPERIMENTS, arguments)
    assert end.value.code == 2
    assert words in capsys.readouterr().err
