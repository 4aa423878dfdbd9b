"""`bench`: one command to take part, and one page of everybody."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

TUNE = ("--tune", "step_size=[0.2, 0.4]")


def test_a_method_of_twenty_lines_takes_part_by_one_command_and_is_on_the_page(bench, submit, tmp_path, capsys):
    shutil.copy(submit("dps", {"dps": 9.0}) / "submission.json", tmp_path / "shipped" / "tiny" / "project.json")
    assert bench("--guidance", "my_fill.Mine", *TUNE, "--out_dir", tmp_path / "mine") == 0
    said = capsys.readouterr().out
    assert re.search(r"Mine: place \d\.\d .* of 2, first or not told from it on \d of 2 tasks, fits 1", said)
    found = json.loads((tmp_path / "mine" / "submission.json").read_text())
    result = found["methods"]["Mine"]["results"]["holes"]["randominpainting"]["default"]
    assert (result["tried"], len(result["rows"])) == (2, 5)
    assert "my_fill.Mine" in found["made"][0]["code"]["own"]
    page = (tmp_path / "mine" / "bench.html").read_text()
    assert page.count('<tr data-method="mine"') == page.count('<tr data-method="dps"') == 3
    assert "Mine &lt;b&gt;fills&lt;/b&gt; missing pixels alone" in page
    assert 'href="https://arxiv.org/abs/2209.14687"' in page
    assert bench("page", tmp_path / "mine", "--out", tmp_path / "page") == 0
    assert (tmp_path / "page" / "bench.html").read_text() == page
    capsys.readouterr()
    assert bench("--method", "dps", "--out_dir", tmp_path / "mine") == 2
    assert "is a submission of Mine to the suite tiny 1, not of dps to tiny 1" in capsys.readouterr().err
    assert bench("--guidance", "my_fill.Mine", "--tune", "step_size=[0.3]", "--out_dir", tmp_path / "mine") == 2
    assert "all that is tried counts, so give the same candidates" in capsys.readouterr().err
    table = tmp_path / "mine" / result["run"] / "per_image.csv"
    table.write_text(table.read_text().replace("a,0", "a,1", 1))
    assert bench("page", tmp_path / "mine", "--out", tmp_path / "page") == 2
    assert "per_image.csv was changed after submission.json" in capsys.readouterr().err


MISTAKES = [
    (["--guidance", "my_fill.Nobody"], "no class at my_fill.Nobody"),
    (["--guidance", "my_fill.METHOD_FILE"], "no class at"),
    (["--guidance", "my_fill.Mine", "--tune", "step_size=[1, 2, 3]"], "begins with 3 candidates"),
    (["--guidance", "my_fill.Mine", "--tune", "step_size"], "--tune: must be key=[values]"),
    (["--guidance", "my_fill.Mine", "--tune", "hole:step_size=[1]"], "the suite tiny has no chapter hole"),
    (["--guidance", "my_fill.Mine", "--tune", "noise:step=[1]"], "in noise, my_fill.Mine has no argument step"),
    (["--guidance", "my_fill.Mine", "--model.guidance.step", "1"], "has no argument step; there are step_size"),
    (["--guidance", "my_fill.Mine", "--data.limit", "1"], "--data.limit: is the suite's, or no option of bench"),
    (["--guidance", "my_fill.Mine", "--link", "javascript:alert(1)"], "--link: must begin with https://"),
    (["--guidance", "my_fill.Mine", "--workers", "0"], "--workers: must be at least 1"),
    (["my_fill.Mine"], "bench: what is 'my_fill.Mine'?"),
    (["--guidance", "my_fill.Mine", "--all"], "give --guidance my_module.MyMethod, or --method or --all"),
    (["--method", "dsp"], "the suite tiny has no dsp; there are dps"),
    (["--all", "--name", "x"], "leave their options to --guidance"),
    (["--guidance", "other.yaml"], "chapters.holes.data is the suite's"),
    (["--guidance", "none.yaml"], "names no model.guidance.class_path"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_is_one_line_before_anything_is_run(bench, tmp_path, capsys, arguments, said):
    stated = {"model": {"guidance": {"class_path": "my_fill.Mine"}}, "chapters": {"holes": {"data": {"limit": 1}}}}
    Path("other.yaml").write_text(yaml.safe_dump(stated))
    Path("none.yaml").write_text("tune: {a: [1]}\n")
    assert bench(*arguments, "--out_dir", tmp_path / "out") == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out" / "holes").exists()
