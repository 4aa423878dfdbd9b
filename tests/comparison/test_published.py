"""What papers state stands beside what was measured, in the comparison's tables and in the report on its runs."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from dsg.comparison.candidate import Candidate
from dsg.comparison.grid import Cell, Grid
from dsg.comparison.layout_published import sections_published
from dsg.comparison.plan import Comparison, read_comparison
from dsg.comparison.published_file import numbers_of_run
from dsg.comparison.render import latex, markdown
from dsg.comparison.table import make_table
from dsg.comparison.tuning import Choice
from dsg.errors import UserError
from dsg.metrics.per_image import per_image
from dsg.metrics.published import Published, beside
from dsg.metrics.results import Results
from dsg.metrics.statistics import Interval
from dsg.report.page import markdown as report_markdown
from dsg.report.read import read_runs
from train_free_eval import main

SOURCE = "2209.14687, Table 6"
PSNRS = [24.0, 26.0, 28.0, 30.0]  # mean 27, 95 % interval 27 ± 4.11


def comparison(published: Any, metrics: tuple[str, ...] = ("psnr", "ssim"), **settings: Any) -> Comparison:
    return Comparison({"sr": {}}, {"dps": {}, "dsg": {}}, [*metrics], published=published, **settings)


def stated(**keys: Any) -> dict[str, Any]:
    """A published PSNR of DPS."""
    return {"sr": {"dps": {"psnr": keys}}}


def laid_out(published: Any, **overall: Any) -> tuple[list[dict[str, str]], dict[str, str], str]:
    """Of a comparison whose DPS has the `PSNRS`: the section's lines, the row of table.csv, and Markdown with LaTeX."""
    of = comparison(published, ("psnr", *overall))
    rows = [{"id": str(i), "sample": 0, "status": "ok", "psnr": value} for i, value in enumerate(PSNRS)]
    results = {Cell("sr", name, "default"): Results(per_image(rows), overall) for name in of.methods}
    table = make_table(Grid(of, {}, Path("unused")), results, dict.fromkeys(results, Choice(Candidate())), {})
    sections = sections_published(table, of)
    assert len(sections) == 1
    lines = [dict(zip(sections[0].header, (e.text for e in line), strict=True)) for line in sections[0].lines]
    return lines, vars(table[0]), markdown(sections, "") + latex(sections, "")


@pytest.mark.parametrize(("value", "difference", "inside"), [(25.67, "+1.3", "yes"), (22, "+5.0", "no")])
def test_the_difference_is_ours_minus_the_paper_s_and_our_interval_holds_it_or_not(value, difference, inside):
    (line,), row, pages = laid_out(stated(value=value, source=SOURCE))
    assert line == {
        "method": "dps", "metric": "psnr ↑", "published": f"{value:g}", "ours": "27.0 [22.9, 31.1] (4)",
        "ours − published": difference, "published in our interval": inside, "source": SOURCE,
    }  # fmt: skip
    assert (row["published"], row["published_inside"], row["published_source"]) == (value, inside, SOURCE)
    assert row["published_difference"] == pytest.approx(27 - value)
    assert pages.count(SOURCE) == 2


def test_a_number_of_another_variant_is_shown_and_not_compared():
    (line,), row, _ = laid_out(stated(value=25.67, source=SOURCE, variant="on the luminance"))
    assert (line["published"], line["ours"]) == ("25.67", "27.0 [22.9, 31.1] (4)")
    assert (line["ours − published"], line["published in our interval"]) == ("–", "not compared: on the luminance")
    assert row["published_difference"] != row["published_difference"]


def test_a_mean_over_what_failures_left_is_not_compared():
    found = beside(Published(29.0, SOURCE), Interval(29.0, 26.5, 31.5, 3), failures=7)
    assert found.inside == "not compared: 7 samples failed here"
    assert math.isnan(found.difference)


def test_what_has_no_interval_and_what_was_not_measured_say_so():
    published = {"sr": {"dps": {"fid_clean": {"value": 40, "source": "s"}, "kid_clean": {"value": 1, "source": "s"}}}}
    (fid, kid), _, _ = laid_out(published, fid_clean={"mean": 30.0, "n": 4}, kid_clean={})
    assert (fid["ours − published"], fid["published in our interval"]) == ("-10.000", "no interval")
    assert (kid["ours"], kid["published in our interval"]) == ("–", "not measured")


@pytest.mark.parametrize(
    ("published", "message"),
    [
        ([1], r"comparison\.published: must be a part of `task: .*got \[1\]"),
        ({"sr4": {}}, r"published: 'sr4' is none of the tasks, sr; did you mean sr\?"),
        ({"sr": {"dpz": {}}}, r"published\.sr: 'dpz' is none of the methods, dps, dsg; did you mean dps\?"),
        ({"sr": {"dps": {"lpips": {}}}}, r"'lpips' is none of the metrics of sr, psnr, ssim; add it to `metrics`, or"),
        (stated(source=SOURCE), r"sr\.dps\.psnr: `value` must be a number, got None"),
        (stated(value="25 dB", source=SOURCE), r"`value` must be a number, got '25 dB'"),
        (stated(value=25.67), r"sr\.dps\.psnr: names no source; say the paper and its table"),
        (stated(value=25.67, source=" "), r"names no source"),
        (stated(value=25.67, source=6), r"`source` must be a text, got 6"),
        (stated(value=25.67, source=SOURCE, page=3), r"has no key page; there are value, source, variant, setting"),
        (stated(value=25.67, source=SOURCE, setting="steps_20"), r"'steps_20' is none of the settings, default"),
        ({"sr": {"dps": {"psnr": 25.67}}}, r"must be \{value: \.\.\., source: \.\.\.\}, got 25\.67"),
        ({"sr": {"dps": {"psnr": [{"value": 1, "source": "a"}] * 2}}}, r"states two numbers for the setting default"),
    ],
)  # fmt: skip
def test_a_number_that_nobody_could_check_is_one_line(published, message):
    with pytest.raises(UserError, match=message) as found:
        comparison(published)
    assert "\n" not in str(found.value)


def test_of_several_settings_each_number_says_which():
    settings = {"steps_100": {}, "steps_20": {}}
    with pytest.raises(UserError, match=r"says no `setting`, and there are steps_100, steps_20"):
        comparison(stated(value=1, source=SOURCE), settings=settings)
    both = [{"value": n, "source": SOURCE, "setting": name} for n, name in enumerate(settings)]
    found = comparison({"sr": {"dps": {"psnr": both}}}, settings=settings).published_numbers
    assert [(number.setting, number.number.value) for number in found] == [("steps_100", 0), ("steps_20", 1)]


def test_a_file_that_takes_a_task_or_a_method_away_takes_its_numbers_too(tmp_path):
    section = {
        "tasks": {"sr": {}, "box": {}}, "methods": {"dps": {}, "dsg": {}}, "metrics": ["psnr"],
        "published": {t: {m: {"psnr": {"value": 1, "source": "s"}} for m in ("dps", "dsg")} for t in ("sr", "box")},
    }  # fmt: skip
    (tmp_path / "whole.yaml").write_text(yaml.safe_dump({"comparison": section}))
    fewer = {"tasks": {"box": None}, "methods": {"dsg": None}}
    (tmp_path / "fewer.yaml").write_text(yaml.safe_dump({"include": ["whole.yaml"], "comparison": fewer}))
    found, _ = read_comparison([tmp_path / "fewer.yaml"])
    assert [(number.task, number.method) for number in found.published_numbers] == [("sr", "dps")]


def test_a_comparison_shows_the_numbers_in_its_tables_and_the_report_on_its_runs_shows_them_too(settings, tmp_path):
    content = yaml.safe_load(settings.read_text())
    content["data"]["init_args"]["limit"] = 2
    del content["model"]["task"], content["model"]["guidance"]
    content["model"]["steps"] = 1
    published = {"value": 26.24, "source": SOURCE}
    content["comparison"] = {
        "tasks": {"inpainting": {"model": {"task": {"class_path": "tasks.RandomInpainting"}}}},
        "methods": {"none": {"model": {"guidance": {"class_path": "dsg.guidance.Unguided"}}}},
        "metrics": ["psnr"],
        "published": {"inpainting": {"none": {"psnr": published}}},
    }
    file, out = tmp_path / "comparison.yaml", tmp_path / "out"
    file.write_text(yaml.safe_dump(content))
    assert main(["compare", "--config", str(file), "--out_dir", str(out)]) == 0
    text = (out / "table.md").read_text()
    assert "## inpainting: beside published numbers" in text
    assert "| none | psnr ↑ | 26.24 | " in text
    assert SOURCE in (out / "table.tex").read_text()
    (row,) = csv.DictReader((out / "table.csv").open(newline=""))
    assert (row["published"], row["published_inside"]) == ("26.24", "no")
    run = out / "runs" / "inpainting" / "none" / "default"
    (number,) = numbers_of_run(run)
    assert (number.metric, number.number.value, number.number.source) == ("psnr", 26.24, SOURCE)
    page = report_markdown(read_runs([run])).split("## Beside published numbers")[1]
    assert f"| 26.24 | {float(row['mean']):.1f}" in page
    (out / "published.json").write_text("[{}]")
    with pytest.raises(UserError, match=r"published\.json: cannot be read; delete it, and run"):
        numbers_of_run(run)
    del content["comparison"]["published"]
    file.write_text(yaml.safe_dump(content))
    assert main(["compare", "--config", str(file), "--out_dir", str(out)]) == 0
    assert not (out / "published.json").exists()
    assert "Beside published" not in report_markdown(read_runs([run]))
