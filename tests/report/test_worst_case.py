"""The report over cells of the images: rebalanced means, worst cases, the worst cell by name; or why there is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dsg.data.held_out import HeldOutPortraits
from dsg.metrics.cells import Cells
from dsg.metrics.cross_fit import cross_fit
from dsg.metrics.statistics import mean_of_cells
from dsg.metrics.summary import summarise
from dsg.report.cells import divisions
from dsg.report.markdown import document
from dsg.report.read import read_runs
from dsg.report.worst_case import worst_case
from dsg.run_folder.folder import RunFolder
from train_free_eval import main

COUNT = 48
DATA = HeldOutPortraits(limit=COUNT)
COLUMNS = DATA.cell_columns()


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """A run folder of portraits, whose PSNR is lower by `hat` for those with hats; the images `failed` failed."""

    def make(name: str, psnr: float = 30.0, hat: float = 0.0, failed: tuple[str, ...] = (), limit: int = COUNT) -> Path:
        folder = RunFolder(tmp_path / name)
        data = {"class_path": "dsg.data.held_out.HeldOutPortraits", "init_args": {"limit": limit}}
        folder.open({"model": {"task": {"class_path": "tasks.RandomInpainting"}, "steps": 5}, "data": data})
        noise = np.random.default_rng(len(name)).normal(0, 0.2, COUNT)
        rows = []
        for i, image_id in enumerate(HeldOutPortraits(limit=limit).image_ids()):
            value = psnr - hat * (COLUMNS["hat"][image_id] != "none") + float(noise[i])
            status = "failed: the sample is not finite" if image_id in failed else "ok"
            row = {"id": image_id, "sample": 0, "psnr": value, "loss": 1.0, "kind": i % 2, "status": status}
            rows.append(row if status == "ok" else {k: row[k] for k in ("id", "sample", "status")})
        folder.append(rows)
        folder.finish(summarise(rows))
        return folder.path

    return make


def report(*arguments: Path | str) -> int:
    try:
        return main(["report", *map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)


def table(*runs: Path, cells: str = "", gamma: float = 1.0) -> tuple[list[dict[str, str]], str]:
    """The rows of the table as report.md has it, by column, and what stands below it."""
    read = read_runs(runs)
    (division,) = divisions(read, [cells] if cells else [], gamma)
    part = document("", [worst_case(read, division).table]).replace("\\", "").split("## ")[1].partition("\n")[2].strip()
    lines, _, notes = part.partition("\n\n")
    cells = [[cell.strip() for cell in re.sub(r"^\| | \|$", "", row).split(" | ")] for row in lines.splitlines()]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]], notes


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[-+]?\d+\.\d+", text)]


def test_the_page_tells_the_mean_the_rebalanced_mean_the_worst_case_and_the_worst_cell(make_run):
    run = make_run("run", hat=4.0)
    assert report(run, "--cells", "hat", "--gamma", "0.7") == 0
    rows, notes = table(run, cells="hat", gamma=0.7)
    (row,) = [row for row in rows if row["metric"] == "psnr ↑"]
    values = {row["id"]: row["psnr"] for row in RunFolder(run).rows()}
    cells = Cells.divide("hat", COLUMNS, "")
    errors, numbered = -np.array([values[i] for i in sorted(values)]), cells.numbered(sorted(values))
    fitted, even = cross_fit(errors, numbered, 0.7).interval.negated, mean_of_cells(-errors, numbered)
    assert numbers(row["γ = 0.7"]) == pytest.approx([fitted.mean, fitted.low, fitted.high], abs=0.01)
    assert numbers(row["rebalanced"]) == pytest.approx([even.mean, even.low, even.high], abs=0.01)
    assert numbers(row["mean"])[0] == pytest.approx(-errors.mean(), abs=0.01)
    assert row["images"] == str(COUNT)
    assert row["worst cell"].startswith("hat ")
    assert "hat none" not in row["worst cell"]
    assert "hat none 3" in notes  # of 48 some thirty
    page = (run / "report.html").read_text()
    assert row["γ = 0.7"] in (run / "report.md").read_text().replace("\\", "")
    assert '<section id="worst_case">' in page
    assert 'aria-label="worst case of psnr ↑' in page


def test_runs_are_paired_and_the_one_that_is_worse_at_gamma_is_marked(make_run):
    first, second = make_run("first", psnr=30.0), make_run("second", psnr=31.0, hat=2.6)
    rows, notes = table(first, second, cells="hat")
    found = {row["run"]: row for row in rows if row["metric"] == "psnr ↑"}
    assert found["first"]["γ = 1 − first"] == "–"
    assert found["second"]["γ = 1 − first"].endswith("▼")
    gap = numbers(found["second"]["γ = 1 − first"])
    assert gap[0] == pytest.approx(numbers(found["second"]["γ = 1"])[0] - numbers(found["first"]["γ = 1"])[0], abs=0.02)
    assert gap[1] < gap[0] < gap[2] < 0
    assert "psnr: At γ = 1 " in notes


def test_classes_divide_portraits_if_nobody_says_otherwise_and_few_images_are_no_mistake(make_run):
    run, few = make_run("run"), make_run("few", limit=6)
    assert "bare-eyed beardless hatless" in table(run)[1]
    read = read_runs([few])
    (division,) = divisions(read, [], 1.0)
    (note,) = worst_case(read, division).table.notes
    assert note.startswith("There is none by label: --cells: by label ")
    assert "fewer than 2 images" in note


def test_columns_stand_together_and_several_divisions_one_after_the_other(make_run):
    run = make_run("run")
    both = divisions(read_runs([run]), ["pattern", "kind+pattern", "pattern"], 0.5)
    assert [division.cells.names[0] for division in both] == ["pattern checks", "kind 0, pattern checks"]


def test_a_run_that_lost_a_cell_is_left_out_with_the_reason(make_run):
    berets = tuple(image_id for image_id, hat in COLUMNS["hat"].items() if hat == "beret")
    whole, lost = make_run("whole"), make_run("lost", failed=berets)
    rows, notes = table(whole, lost, cells="hat")
    assert {row["run"] for row in rows} == {"whole"}
    assert "lost is left out of psnr: the cell 'hat beret' has fewer than 2 images (0)" in notes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cells", "hut"], "--cells: the data knows no column 'hut' of its images; there are label, hair, dye"),
        (["--cells", "dye+hair"], "--cells: by dye+hair "),
        (["--cells", "hat", "--gamma", "1.7"], "--gamma: must be between 0, the mean of the cells, and log 5 = 1.609"),
        (["--cells", "hat", "--gamma", "-1"], "--gamma: must be between 0"),
        (["--cells", "loss"], "--cells: all images have the same loss, 1; take a column of two values or more"),
    ],
)
def test_what_makes_no_cells_is_one_line_and_no_page(make_run, capsys, arguments, words):
    run = make_run("run")
    assert report(run, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {words}")
    assert not (run / "report.html").exists()


def test_cells_of_data_that_is_gone_are_refused_with_the_reason(make_run, capsys):
    run = make_run("run")
    settings = (run / "config.yaml").read_text().replace("HeldOutPortraits", "Elsewhere")
    (run / "config.yaml").write_text(settings)
    assert report(run, "--cells", "hat") == 2
    assert "error: --cells: the data of run cannot be read: dsg.data.held_out.Elsewhere" in capsys.readouterr().err
    assert "kind 1 24" in table(run, cells="kind", gamma=0.5)[1]  # the rows have it
    (found,) = divisions(read_runs([run]), [], 1.0)  # nobody asked, and the reason is told all the same
    assert found.cells is None
    assert found.why_not.startswith("the data of run cannot be read: dsg.data.held_out.Elsewhere cannot be imported")


def test_where_one_run_s_data_has_labels_and_another_s_has_none_it_is_said(make_run, monkeypatch):
    runs = read_runs([make_run("one"), make_run("two")])
    assert runs[1].data is not None
    monkeypatch.setattr(runs[1].data, "cell_columns", lambda: {"hat": {}})
    (found,) = divisions(runs, [], None)
    assert found.why_not == "the data of two has none"
