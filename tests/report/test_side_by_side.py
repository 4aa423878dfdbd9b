"""The same image under several runs, trajectories over each other, and the way to the run folders."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from dsg.errors import UserError
from dsg.report import side_by_side as module
from dsg.report.links import below, folder_links, place_of
from dsg.report.pictures import GAIN
from dsg.report.read import read_runs
from dsg.report.side_by_side import side_by_side
from dsg.report.trajectories import MOST_POINTS, embedded, trajectories
from tests.report.browser import Browser
from tests.report.pages import pages, report, trace


def test_an_image_has_its_truth_and_measurement_once_and_a_sample_of_every_run(make_run):
    runs = read_runs([make_run("good"), make_run("poor", level=40.0)])
    (found,) = side_by_side(runs)
    assert (found.runs, found.metric, found.has_truth) == ([0, 1], "psnr", True)
    assert {row.image_id for row in found.rows} >= {"a", "more/f"}
    for row in found.rows:
        assert [picture.label for picture in row.shared] == ["truth", "measurement"]
        assert [(tile.run, tile.is_best) for tile in row.tiles] == [(0, True), (1, False)]
        assert all(tile.picture is not None and tile.numbers[0].startswith("psnr ") for tile in row.tiles)
    places = {row.place for row in found.rows}
    assert any("worst of good" in place for place in places)
    assert any("best of poor" in place for place in places)


def test_the_number_that_is_marked_is_the_one_that_was_compared_and_of_a_tie_none_is(make_run):
    values = {"a": (0.9, 0.8), "b": (0.5, 0.5)}
    rows = [{image: {"ssim": pair[i]} for image, pair in values.items()} for i in range(2)]
    one, two = read_runs([make_run("one", ids=["a", "b"], **rows[0]), make_run("two", ids=["a", "b"], **rows[1])])
    one, two = replace(one, metrics=["ssim", "psnr"]), replace(two, metrics=["psnr", "ssim"])
    (found,) = side_by_side([one, two])
    assert found.metric == "ssim"
    for row in found.rows:
        assert [tile.numbers[0] for tile in row.tiles] == [f"ssim {value:g}" for value in values[row.image_id]]
    marked = {row.image_id: [tile.is_best for tile in row.tiles] for row in found.rows}
    assert marked == {"a": [True, False], "b": [False, False]}


def test_a_sample_that_failed_or_was_never_made_says_so(make_run):
    failed = {"a": {"status": "failed: the sample is not finite"}}
    runs = read_runs([make_run("one"), make_run("two", **failed), make_run("three", ids=["b", "c"])])
    (found,) = side_by_side(runs, ["a"])
    row = found.rows[0]
    assert (row.image_id, row.place) == ("a", "asked for; best of one")
    assert [tile.said for tile in row.tiles[1:]] == ["failed: the sample is not finite", "not sampled"]


def test_runs_of_other_measurements_are_not_put_side_by_side(make_run):
    first, second = make_run("first"), make_run("second")
    file = second / "config.yaml"
    file.write_text(file.read_text().replace("seed: 0", "seed: 1"))
    assert side_by_side(read_runs([first, second])) == []


def test_an_image_that_cannot_be_shown_side_by_side_is_one_line(make_run):
    runs = read_runs([make_run("one"), make_run("two")])
    with pytest.raises(UserError, match="--image: no run has a sample of 'nobody'"):
        side_by_side(runs, ["nobody"])
    with pytest.raises(UserError, match="--image: no two of these runs have pictures of the same task, data and seed"):
        side_by_side(runs[:1], ["a"])


def test_an_image_that_only_a_run_standing_alone_has_is_one_line(make_run):
    alone = make_run("alone")
    file = alone / "config.yaml"
    file.write_text(file.read_text().replace("seed: 0", "seed: 1"))
    runs = read_runs([make_run("one", ids=["b", "c"]), make_run("two", ids=["b", "c"]), alone])
    with pytest.raises(UserError, match="--image: no run has a sample of 'a' beside another run's"):
        side_by_side(runs, ["a"])
    assert side_by_side(runs, ["b"])


def test_as_many_images_are_shown_as_the_page_has_room_for(make_run, monkeypatch):
    runs = read_runs([make_run("one"), make_run("two", level=40.0)])
    (all_of_them,) = side_by_side(runs)
    monkeypatch.setattr(module, "ROOM", sum(row.size for row in all_of_them.rows[:2]))
    (found,) = side_by_side(runs)
    assert found.rows == all_of_them.rows[:2]
    assert found.note == f"The page has room for 2 of the {len(all_of_them.rows)} images that were chosen"
    (asked,) = side_by_side(runs, ["d", "c", "b"])  # what is asked for is shown whatever room it takes
    assert [row.image_id for row in asked.rows] == ["d", "c", "b"]


def test_links_lead_from_the_page_to_what_is_in_the_run_folders(make_run, tmp_path):
    runs = [make_run("runs/a#1 50%?"), trace(make_run("runs/javascript:b"), loss=[1.0, 0.5])]
    out = tmp_path / "runs" / "report"
    assert report(*runs, "--out", out) == 0
    html = (out / "report.html").read_text()
    addresses = re.findall(r'href="([^#"][^"]*)"', html)
    assert len(set(addresses)) > 10
    assert all((out / unquote(address)).resolve().exists() for address in addresses)
    assert {Path(unquote(address)).parts[:2] for address in addresses} == {("..", run.name) for run in runs}
    assert f'data-place="{place_of(out)}"' in html


def test_where_no_path_leads_to_a_run_folder_there_is_no_link(make_run, monkeypatch):
    def other_drive(*_: object) -> str:
        raise ValueError("path is on mount 'D:'")

    runs = read_runs([make_run("run")])
    monkeypatch.setattr("os.path.relpath", other_drive)
    assert folder_links(runs, Path("out")) == [""]
    assert below("", "samples", "a.png") == ""
    assert place_of(Path("../x/./report")) == "/x/report/report.html"


def test_a_page_tells_of_the_place_where_it_was_written_no_more_than_two_folders(make_run, tmp_path):
    out = tmp_path / "somebody" / "runs" / "report"
    assert report(make_run("run"), "--out", out) == 0
    html = (out / "report.html").read_text()
    assert 'data-place="/runs/report/report.html"' in html
    assert "somebody" not in html


def test_a_long_trace_is_drawn_by_as_many_points_as_can_be_seen_with_both_ends(make_run):
    path = trace(make_run("</script>"), loss=[1.0 / (1 + step) for step in range(1000)])
    found = trajectories(read_runs([path, make_run("untraced")]))
    assert found is not None
    (run,) = found["runs"]
    assert (run["at"][0], run["at"][-1], len(run["at"])) == (0, 999, MOST_POINTS)
    assert found["measures"][0]["curves"][0]["p50"][-1] == pytest.approx(0.001)
    assert "<" not in embedded(found)
    assert json.loads(embedded(found))["runs"][0]["name"] == "</script>"
    assert trajectories(read_runs([path])[:0]) is None


def test_in_a_browser_runs_are_laid_over_each_other_and_images_are_gone_through_by_keys(make_run, browser: Browser):
    runs = [
        trace(make_run("dps", level=30.0), loss=[8.0, 4.0, 2.0, 1.0], cosine=[0.5, -0.2, 0.3, None]),
        trace(make_run("dsg"), loss=[8.0, 7.0, 6.0, 5.0, 4.0, 3.0]),
        make_run("untraced"),
    ]
    html, _ = pages(*runs)
    assert "No trace was kept by untraced" in html
    browser.open(runs[0] / "report.html")
    lines = "document.querySelectorAll('.charts polyline').length"
    assert (browser.run(lines), browser.run("document.querySelectorAll('.charts figure').length")) == (3, 2)
    browser.run("document.querySelector('input[name=run]').click()")  # dps is taken away, and its cosine with it
    assert browser.run(lines) == 1
    browser.run("document.querySelector('#trajectories input[type=range]').focus()")
    browser.press("ArrowLeft")
    assert browser.run("document.querySelector('#trajectories output').textContent") == "94 %"
    assert browser.run("document.querySelector('#trajectories tbody tr').cells[1].textContent").startswith("3[1.5, 6]")
    shown = "[...document.querySelectorAll('.side .strip:not([hidden])')].map((row) => row.innerText.split('\\n')[0])"
    (first,) = browser.run(shown)
    browser.run("document.querySelector('.side .strip:not([hidden]) .picture').focus()")
    browser.press("ArrowRight")
    (second,) = browser.run(shown)
    assert first != second
    assert browser.run("document.activeElement.closest('.strip').hidden") is False
    browser.run("document.querySelector('input[name=errors]').click()")
    browser.run("document.querySelector('.side .strip:not([hidden]) .of_run').click()")
    caption = "document.querySelector('#enlarged p').textContent"
    assert browser.run(caption).startswith("dps · psnr ")
    assert browser.run("document.querySelector('#enlarged .frame').classList.contains('error')")
    for shown_error in ("#enlarged .frame", ".side .of_run.error"):
        bright = browser.run(f"getComputedStyle(document.querySelector('{shown_error}')).filter")
        assert bright == f"brightness({GAIN})"
    browser.press("ArrowRight")
    assert browser.run(caption).startswith("dsg · psnr ")
    before = browser.run(caption).split(" · ")[-1]
    browser.press("ArrowDown")
    assert browser.run(caption).startswith("dsg · psnr ")
    assert browser.run(caption).split(" · ")[-1] != before
    browser.press("Escape")  # a dialog tells of its end a moment later
    browser.wait_for("document.activeElement.closest('.strip')?.hidden === false")
    assert browser.run("document.querySelector('.moved').hidden")  # the page is where it was written
    assert browser.complaints == []
    assert {address.partition(":")[0] for address in browser.requests} == {"file", "data"}


def test_in_a_browser_a_stray_percent_sign_and_a_group_without_images_do_no_harm(make_run, browser: Browser):
    runs = [trace(make_run("50%/one"), loss=[2.0, 1.0]), trace(make_run("50%/two"), loss=[2.0, 1.0])]
    html, _ = pages(*runs)
    page = runs[0] / "report.html"
    page.write_text(html.replace('class="strip many"', 'class="many"'))
    browser.open(page, page.as_uri().replace("%25", "%"))
    assert "50%/" in browser.run("location.pathname")
    assert browser.run("document.querySelectorAll('.charts polyline').length") > 0
    assert browser.run("document.querySelector('.side .chooser').hidden")
    assert browser.run("document.querySelector('.moved').hidden")
    assert browser.complaints == []
