"""`report`: one page about run folders, that says what is in them and nothing that is not."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from dsg.metrics.statistics import mean_with_interval
from dsg.run_folder.folder import RunFolder
from tests.report.browser import Browser
from tests.report.pages import IDS, line, pages, psnrs, report

HEAD = "# git abc1234\n# python 3.11.0, torch 2.6.0\n# device abacus\n"


def test_means_and_intervals_are_those_of_the_run(make_run):
    run = make_run("run")
    html, markdown = pages(run)
    known = json.loads((run / "metrics.json").read_text())["metrics"]["psnr"]
    found = line(markdown, "Results", "run")
    assert found["psnr ↑"] == f"{known['mean']:.1f} [{known['low']:.1f}, {known['high']:.1f}] (6)"
    assert (found["images"], found["NFE"], found["failed"]) == ("6", "5 + 4", "0")
    assert (found["task"], found["method"]) == ("RandomInpainting", "DSG")
    assert f'data-value="{known["mean"]}"' in html


def test_differences_are_paired_by_image_with_their_interval(make_run):
    first, second = make_run("first"), make_run("second", level=20.0, ids=IDS[1:])
    gaps = mean_with_interval([psnrs(second)[i] - psnrs(first)[i] for i in IDS[1:]])
    _, markdown = pages(first, second)
    found = line(markdown, "Difference to first", "second")
    stated = [float(number) for number in re.findall(r"[-+][\d.]+", found["psnr ↑"])]
    assert stated == pytest.approx([gaps.mean, gaps.low, gaps.high], abs=0.05)
    assert found["psnr ↑"].endswith("(5) ▼")


def test_a_run_that_lost_images_is_not_called_better_than_one_that_has_them(make_run):
    failed = {"c": {"status": "failed: the sample is not finite"}}
    _, markdown = pages(make_run("first", level=20.0), make_run("second", **failed))
    found = line(markdown, "Difference to first", "second")["psnr ↑"]
    assert found.endswith("(5)")
    assert line(markdown, "Results", "second")["failed"] == "1"
    _, markdown = pages(make_run("worse", level=20.0, **failed), make_run("whole"))
    assert line(markdown, "Difference to worse", "whole")["psnr ↑"].endswith("(5) ▲")


def change_data(run: Path, **options: object) -> None:
    """Other options of the data in a run's settings; None takes one away."""
    settings = yaml.safe_load((run / "config.yaml").read_text())
    data = settings["data"]["init_args"] | options
    settings["data"]["init_args"] = {name: value for name, value in data.items() if value is not None}
    (run / "config.yaml").write_text(yaml.safe_dump(settings))


def test_runs_are_of_one_problem_whichever_images_they_took_and_whether_they_knew_newer_options(make_run):
    first, second = make_run("first"), make_run("second")
    change_data(first, first=0, limit=6, spread=False, channels=3)
    change_data(second, first=None, limit=4, spread=True, channels=None)
    assert "differs from" not in pages(first, second)[1]
    change_data(second, channels=1)
    assert "second: its data differs from first's" in pages(first, second)[1].replace("\\", "")


def with_losses(loss: float) -> dict[str, dict[str, float]]:
    """Rows whose loss is about `loss` where the noise's norm is 3.9."""
    losses = {image_id: loss + 0.01 * (k % 3) for k, image_id in enumerate(IDS)}
    return {image_id: {"loss": value, "residual": value / 3.9} for image_id, value in losses.items()}


def test_a_loss_below_the_norm_of_the_noise_is_not_called_better(make_run):
    _, markdown = pages(make_run("dps", **with_losses(1.7)), make_run("dsg", **with_losses(4.2)))
    assert line(markdown, "Results", "dps")["residual → 1"].startswith("0.438")
    found = line(markdown, "Difference to dps", "dsg")
    assert found["|residual − 1| ↓"].startswith("-0.4")
    assert found["|residual − 1| ↓"].endswith("▲")
    assert found["loss"].endswith("(6)")


def test_of_an_old_run_without_residual_the_settings_say_whether_a_smaller_loss_is_better(make_run):
    losses = {image_id: {"loss": 1.0 + k} for k, image_id in enumerate(IDS)}
    run = make_run("run", **losses)
    file = run / "config.yaml"
    for noise, heading in ({"class_path": "tasks.GaussianNoise", "init_args": {"noise_sigma": 0.05}}, "loss"), (
        {"class_path": "tasks.GaussianNoise", "init_args": {"noise_sigma": 0.0}}, "loss ↓",
    ), ({"class_path": "tasks.PoissonNoise", "init_args": {"peak": 255.0}}, "loss"):  # fmt: skip
        content = yaml.safe_load(file.read_text())
        content["model"]["task"]["init_args"] = {"noise": noise}
        file.write_text(yaml.safe_dump(content))
        assert heading in line(pages(run)[1], "Results", "run")


def test_only_the_settings_in_which_runs_differ_are_listed(make_run):
    _, markdown = pages(make_run("first"), make_run("second", level=20.0))
    table = markdown.split("## Settings in which the runs differ")[1].split("##")[0]
    assert re.findall(r"^\| (model\S*) \| (\S+) \| (\S+) \|$", table.replace("\\", ""), re.MULTILINE) == [
        ("model.guidance.init_args.guidance_rate", "0.1", "0.2")
    ]


def test_the_best_the_median_and_the_worst_image_are_shown_with_their_truth(make_run):
    run = make_run("run")
    html, _ = pages(run)
    shown = re.findall(r"<strong>(\w+)</strong>.*?class=\"id\">([^<]*)<", html)
    by_psnr = sorted(IDS, key=lambda i: -psnrs(run)[i])
    assert shown == [("best", by_psnr[0]), ("median", by_psnr[2]), ("worst", by_psnr[5])]
    captions = ["truth", "measurement", "sample", "error × 4"]
    assert re.findall("<figcaption>(.*?)</figcaption>", html) == captions * 3


def test_where_the_images_are_gone_the_page_says_so_and_shows_the_rest(make_run, image_folder):
    run = make_run("run")
    image_folder.rename(image_folder.with_name("elsewhere"))
    html, _ = pages(run)
    assert "The truth is not shown; it cannot be read again: data.root: no folder at" in html
    assert re.findall("<figcaption>(.*?)</figcaption>", html) == ["measurement", "sample"] * 3


def test_an_image_that_has_changed_is_not_taken_for_the_truth(make_run, image_folder):
    run = make_run("run")
    for image_id in IDS:
        Image.new("RGB", (16, 16)).save(image_folder / f"{image_id}.png")
    html, _ = pages(run)
    assert html.count("no truth: the image has changed") == 3
    assert "<figcaption>truth" not in html


def test_a_task_that_compares_with_nothing_has_no_truth(make_run):
    run = make_run("run")
    change_settings(run, "tasks.RandomInpainting", "tasks.Generation")
    html, _ = pages(run)
    assert "There is no truth: the task compares its samples with nothing" in html
    assert re.findall("<figcaption>(.*?)</figcaption>", html) == ["asked", "sample"] * 3


def test_a_sum_of_tasks_is_named_by_them_and_has_a_truth_where_one_of_them_compares_with_it(make_run):
    def sum_of(*parts: str) -> str:
        run = make_run("-".join(parts))
        settings = yaml.safe_load((run / "config.yaml").read_text())
        tasks = [{"class_path": f"tasks.{part}", "init_args": {"noise": None} if part == "JPEG" else {}}
                 for part in parts]  # fmt: skip
        settings["model"]["task"] = {"class_path": "tasks.Sum", "init_args": {"tasks": tasks}}
        (run / "config.yaml").write_text(yaml.safe_dump(settings))
        html, markdown = pages(run)
        assert line(markdown, "Results", run.name)["task"] == " + ".join(parts)
        return html

    assert "<figcaption>truth" in sum_of("Identity", "JPEG")
    html = sum_of("Identity", "Segmentation")
    assert "There is no truth: the task compares its samples with nothing" in html
    assert re.findall("<figcaption>(.*?)</figcaption>", html) == ["asked", "sample"] * 3


def test_pictures_are_chosen_by_what_a_judge_says_before_what_the_guide_does(make_run):
    scores = {name: {"identity_similarity": i / 8, "judge_identity_similarity": -i / 8} for i, name in enumerate(IDS)}
    html, markdown = pages(make_run("run", **scores))
    assert "run, by judge_identity_similarity" in html
    assert "judge_identity_similarity ↑ | psnr ↑ | identity_similarity ↑" in markdown.replace("\\", "")


def test_the_truth_is_the_column_that_the_task_compares_with(make_run, image_folder):
    """Here the image is changed and the target is what was measured against."""
    run = make_run("run")
    change_settings(run, "tasks.RandomInpainting", "tests.tasks.test_two_images.ColoursOf")
    (image_folder / "targets").mkdir()
    lines = []
    for i, image_id in enumerate(IDS):
        (image_folder / f"{image_id}.png").rename(image_folder / "targets" / f"{i}.png")
        Image.new("RGB", (16, 16)).save(image_folder / f"{image_id}.png")
        lines.append(f'{{"file_name": "{image_id}.png", "target_file_name": "targets/{i}.png"}}\n')
    (image_folder / "metadata.jsonl").write_text("".join(lines))
    html, _ = pages(run, trust="tests.tasks.test_two_images")
    assert html.count("<figcaption>truth") == 3
    assert "no truth" not in html


def test_failures_and_unavailable_metrics_are_listed_with_their_reasons(make_run):
    run = make_run("run", b={"status": "failed: the sample is not finite"})
    _, markdown = pages(run)
    assert "| run | b | 0 | the sample is not finite |" in markdown
    assert "| run | lpips\\_vgg | wants a file |" in markdown
    assert line(markdown, "Results", "run")["failed"] == "1"


def test_of_a_run_of_before_starts_were_recorded_the_head_of_its_settings_says_what_made_it(make_run):
    run = make_run("run")
    (run / "config.yaml").write_text(HEAD + (run / "config.yaml").read_text())
    _, markdown = pages(run)
    found = line(markdown, "Made by", "run")
    assert (found["start"], found["code"], found["device"]) == ("–", "git abc1234", "abacus")
    assert (found["versions"], found["samples"]) == ("python 3.11.0, torch 2.6.0", "6")
    assert "not recorded" not in markdown


def started(run: Path, number: int, torch: str) -> None:
    """Record a start."""
    code = {
        "git": "0123456789abcdef-dirty",
        "sources": "sha256:" + 64 * "7",
        "own": {"my.Method": "sha256:" + 64 * "8"},
    }
    start = {"start": number, "time": "2026-01-01", "code": code, "versions": {"torch": torch, "deepinv": None}}
    device = {"name": "abacus", "count": 2, "cpu": "beads", "deterministic": False}
    RunFolder(run).provenance.append({**start, "device": device, "weights": {"net.pt": "sha256:" + 64 * "9"}})


def test_every_start_is_listed_with_what_it_made_and_what_changed_is_said(make_run):
    first = make_run("first", a={"start": 1}, b={"start": 1}, c={"start": 2})
    started(first, 1, "2.6.0")
    started(first, 2, "2.7.0")
    html, markdown = pages(first)
    found = line(markdown, "Made by", "first")
    assert (found["start"], found["samples"], found["versions"]) == ("1", "2", "torch 2.6.0")
    assert found["code"] == "git 0123456789ab-dirty, sources sha256:777777777777, my.Method sha256:888888888888"
    assert found["device"].startswith("abacus x2, cpu beads, ")
    assert found["weights"] == "net.pt sha256:999999999999"
    assert "first: its starts were not made alike: versions.torch 2.6.0, 2.7.0." in markdown
    assert "its starts were not made alike" in html
    assert "first: what made 3 of its samples is not recorded." in markdown
    assert "| first | – | – | 3 | – | – | – | – |" in markdown


def test_runs_that_were_not_made_alike_are_told_apart(make_run):
    runs = []
    for name, torch in (("first", "2.6.0"), ("second", "2.7.0"), ("third", "2.6.0")):
        runs.append(make_run(name, **{key: {"start": 1} for key in ("a", "b", "c", "d")}))
        started(runs[-1], 1, torch)
    title = "Code, versions and machines in which the runs differ"
    found = line(pages(*runs)[1], title, "versions.torch")
    assert (found["first"], found["second"], found["third"]) == ("2.6.0", "2.7.0", "2.6.0")
    assert title not in pages(runs[0], runs[2])[1]


def test_a_run_that_has_not_ended_is_reported_as_such(make_run):
    _, markdown = pages(make_run("run", ids=IDS[:2], finished=False))
    assert "run: the run has not ended: the numbers are of the samples that are finished." in markdown
    assert "run: 4 of its 6 samples have not been tried yet." in markdown
    assert line(markdown, "Results", "run")["images"] == "2"


def test_a_run_without_a_finished_sample_is_reported_as_such(make_run):
    html, markdown = pages(make_run("run", ids=[], finished=False))
    assert "run: no sample is finished yet." in markdown
    assert "<figure" not in html


@pytest.mark.parametrize(
    "content",
    ["{", "[1]", '{"metrics": 3}', "\0\x80", '{"metrics": {"fid_clean": 5}}', '{"metrics": {"a": {"mean": "five"}}}',
     '{"warnings": 5}', '{"timing": {"peak_memory_mib": "many"}}', "[" * 100_000],
)  # fmt: skip
def test_a_damaged_summary_leaves_the_numbers_of_the_rows(make_run, content):
    run = make_run("run")
    whole = pages(run)[1]
    (run / "metrics.json").write_text(content)
    _, markdown = pages(run)
    assert "metrics.json is damaged" in markdown
    assert line(markdown, "Results", "run") == line(whole, "Results", "run")


def test_a_column_whose_name_is_no_formula_of_tex_is_drawn_by_its_name(make_run):
    html, _ = pages(make_run("run", **{i: {r"$\foo$": 1.0 + k} for k, i in enumerate(IDS)}))
    assert html.count(r"$\foo$") > 1


def test_runs_of_different_metrics_stand_side_by_side(make_run):
    more = {i: {"sharpness": 1.0 + k} for k, i in enumerate(IDS)}
    _, markdown = pages(make_run("first"), make_run("second", **more))
    assert line(markdown, "Results", "first")["sharpness"] == "–"
    assert line(markdown, "Results", "second")["sharpness"].startswith("3.5 [")


def test_values_that_are_not_finite_are_counted(make_run):
    html, markdown = pages(make_run("run", b={"psnr": float("inf")}))
    assert "run: 1 values of psnr are not finite and not averaged in." in markdown
    assert "inf" not in re.findall(r'data-value="(.*?)"', html)


def test_runs_of_vectors_have_no_pictures(make_run):
    run = make_run("run")
    for picture in run.rglob("*.png"):
        picture.unlink()
    html, _ = pages(run)
    assert "Distributions" in html
    assert 'id="pictures"' not in html


def change_settings(run: Path, old: str, new: str) -> None:
    file = run / "config.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_runs_are_paired_with_the_first_of_their_own_task(make_run):
    runs = [make_run(name) for name in ("inpainted", "denoised", "lonely", "inpainted_too", "denoised_too")]
    for run, task in {1: "tasks.Denoising", 2: "tasks.Colourisation", 4: "tasks.Denoising"}.items():
        change_settings(runs[run], "tasks.RandomInpainting", task)
    html, markdown = pages(*runs)
    assert re.findall("## Difference to (.*)", markdown) == ["inpainted", "denoised"]
    for first in ("inpainted", "denoised"):
        assert "(6)" in line(markdown, f"Difference to {first}", f"{first}_too")["psnr ↑"]
        assert f"Difference to {first}<" in html


def test_runs_of_other_measurements_are_told_apart_where_they_are_paired(make_run):
    first, second = make_run("first"), make_run("second")
    change_settings(second, "seed: 0", "seed: 1")
    assert "second: its seed differs from first's" in pages(first, second)[1]


def test_what_stands_in_a_run_folder_is_text_and_nothing_else(make_run):
    evil = "</script><img src=x onerror=alert(1)>|`*"
    run = make_run("<b>run", a={"status": f"failed: {evil}"}, b={"id": "<i>b"})
    file = run / "config.yaml"
    file.write_text(file.read_text().replace("tasks.RandomInpainting", "tasks.<u>x"))
    html, markdown = pages(run)
    for text in (html, markdown):
        assert not any(tag in text for tag in ("<b>run", "<i>b", "<u>x", "<img src=x", "</script><"))
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;\\|\\`\\*" in markdown


def test_an_id_that_leads_out_of_the_run_folder_is_not_followed(make_run, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (16, 16), "red").save(secret)
    html, _ = pages(make_run("run", ids=["a"], a={"id": "../../secret"}))
    assert "leads out of the run folder" in html
    assert "data:image/png" not in html


def test_a_picture_that_is_a_link_out_of_the_run_folder_is_not_followed(make_run, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (16, 16), "red").save(secret)
    run = make_run("run", ids=["a"])
    for kind in ("samples", "measurements"):
        (run / kind / "a.png").unlink()
        (run / kind / "a.png").symlink_to(secret)
    html, _ = pages(run)
    assert "is a link that leads out of the run folder" in html
    assert "data:image/png" not in html


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that is on the path and tells if it is imported."""
    code = "open({!r}, 'w').close()\n".format(str(tmp_path / "imported"))
    code += "from dsg.data.folder import ImageFolder\nclass Data(ImageFolder): pass\n"
    code += "from tasks import Denoising\nclass Task(Denoising): pass\n"
    (tmp_path / "foreign_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "foreign_module", raising=False)
    return "foreign_module"


@pytest.mark.parametrize(
    ("old", "name"),
    [("dsg.data.folder.ImageFolder", "Data"), ("tasks.RandomInpainting", "Task"), ("dsg.guidance.DSG", "Guidance")],
)
def test_no_class_is_imported_that_a_run_folder_names(make_run, tmp_path, foreign, old, name):
    run = make_run("run")
    change_settings(run, old, f"{foreign}.{name}")
    html, _ = pages(run)
    assert not (tmp_path / "imported").exists()
    assert foreign not in sys.modules
    if name == "Data":
        assert re.search(r"not shown; it cannot be read again: .*foreign_module\.Data is not imported", html)
        assert "<figcaption>truth" not in html
    if name == "Task":
        assert "taken to be the image: foreign_module.Task is not imported" in html
        assert html.count("<figcaption>truth") == 3
    html, _ = pages(run, trust=foreign)
    assert (tmp_path / "imported").exists() == (name != "Guidance")
    assert html.count("<figcaption>truth") == 3


@pytest.mark.parametrize(
    "class_path", ["os.system", "tasks.os.system", "dsg.data.folder.Path", "dsgevil.Data", "dsg.nothing.Data", "x", ""]
)
def test_what_is_no_data_of_the_library_is_not_made(make_run, class_path):
    run = make_run("run")
    file = run / "config.yaml"
    content = yaml.safe_load(file.read_text())
    content["data"] = {"class_path": class_path, "init_args": {"command": f"touch {run}/made"}}
    file.write_text(yaml.safe_dump(content))
    html, _ = pages(run)
    assert "The truth is not shown; it cannot be read again" in html
    assert not (run / "made").exists()


def test_an_argument_of_data_that_names_a_class_is_not_made(make_run, tmp_path, foreign):
    run = make_run("run")
    file = run / "config.yaml"
    content = yaml.safe_load(file.read_text())
    content["data"]["init_args"]["labels"] = [{"deep": {"class_path": f"{foreign}.Data"}}]
    file.write_text(yaml.safe_dump(content))
    html, _ = pages(run)
    assert "an argument of data names a class, which is not made again" in html
    assert not (tmp_path / "imported").exists()


def test_a_file_of_labels_that_a_run_folder_names_is_not_quoted(make_run, tmp_path):
    (tmp_path / "secrets").write_text("https://me:my-password@host\n")
    run = make_run("run")
    file = run / "config.yaml"
    content = yaml.safe_load(file.read_text())
    content["data"]["init_args"]["labels"] = str(tmp_path / "secrets")
    file.write_text(yaml.safe_dump(content))
    for page in pages(run):
        assert "my-password" not in page
        assert "The truth is not shown" not in page


def test_an_image_is_no_truth_where_no_psnr_tells_that_it_was_measured(make_run):
    html, _ = pages(make_run("run", ids=["a"], a={"psnr": None, "quality": 1.0}))
    assert "no truth: no PSNR was recorded by which the image could be known again" in html
    assert "<figcaption>truth" not in html


def test_the_page_asks_for_nothing_outside_itself(make_run):
    html, _ = pages(make_run("first"), make_run("second"))
    assert re.findall(r"""src=["'](?!data:|#)[^"']*""", html) == []
    assert re.findall(r"""href=["'](?:[a-z]+:|/)[^"']*""", html, re.IGNORECASE) == []  # links are relative
    assert "default-src 'none'" in html
    assert "@import" not in html
    assert "url(http" not in html


def test_the_same_runs_make_the_same_page(make_run):
    runs = make_run("first"), make_run("second")
    assert pages(*runs) == pages(*runs)


def damage(text: str) -> Callable[[Path], object]:
    return lambda run: (run / "config.yaml").write_text(text)


def break_journal(run: Path) -> None:
    with (run / "rows" / "rank0.jsonl").open("a") as handle:
        handle.write('{"id": "z", "sample": 0, "psnr": "much", "status": "ok"}\n')


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda run: (run / "config.yaml").unlink(), "is no run folder, it has no config.yaml"),
        (lambda run: run.rename(run.with_name("moved")), "there is no such folder"),
        (damage("a: [\n"), "config.yaml is damaged"),
        (damage("just words"), "holds no settings"),
        (break_journal, "holds a line that is no row"),
        (lambda run: (run / "rows" / "left_out.json").write_text("["), "left_out.json is damaged; continue the run"),
    ],
)
def test_what_is_no_run_folder_is_one_line_and_exit_code_2(make_run, capsys, break_it, words):
    run = make_run("run")
    break_it(run)
    assert report(run) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert words in said


def test_a_folder_of_runs_is_answered_with_their_names(make_run, tmp_path, capsys):
    make_run("all/one")
    assert report(tmp_path / "all") == 2
    assert f"did you mean {tmp_path / 'all' / 'one'}?" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "words"), [([], "RUN_DIR"), (["--nonsense", "x"], "--nonsense")])
def test_a_mistake_on_the_command_line_is_one_line(capsys, arguments, words):
    assert report(*arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said


def test_a_run_given_twice_is_a_mistake(make_run, capsys):
    run = make_run("run")
    assert report(run, run / ".") == 2
    assert "given twice" in capsys.readouterr().err


def test_out_names_another_folder(make_run, tmp_path, capsys):
    run = make_run("run")
    assert report(run, "--out", tmp_path / "new" / "out") == 0
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == ["report.html", "report.md"]
    assert not (run / "report.html").exists()
    assert capsys.readouterr().out.count("\n") == 2


DIALOG = "[document.getElementById('enlarged').open, document.querySelector('#enlarged p').textContent]"


def first_column(browser: Browser, table: int) -> list[str]:
    rows = f"document.querySelectorAll('#numbers table')[{table}].tBodies[0].rows"
    return browser.run(f"[...{rows}].map((row) => row.cells[0].textContent.trim())")


def click_psnr(browser: Browser, table: int) -> None:
    headers = f"document.querySelectorAll('#numbers table')[{table}].querySelectorAll('th button')"
    browser.run(f"[...{headers}].find((button) => button.textContent.startsWith('psnr')).click()")


def test_in_a_browser_the_table_sorts_and_an_image_enlarges_without_a_complaint(make_run, browser):
    levels = {"fair": 20.0, "good": 2.0, "bad": 90.0, "poor": 60.0}
    runs = [*(make_run(name, level=level) for name, level in levels.items()), make_run("no_rows", ids=[])]
    pages(*runs)
    browser.open(runs[0] / "report.html")
    click_psnr(browser, 0)
    assert first_column(browser, 0) == ["bad", "poor", "fair", "good", "no_rows"]
    assert first_column(browser, 1) == ["good", "bad", "poor", "no_rows"]  # another table
    click_psnr(browser, 1)
    assert first_column(browser, 1) == ["bad", "poor", "good", "no_rows"]  # as text -14 is after -9
    click_psnr(browser, 1)
    assert first_column(browser, 1) == ["good", "poor", "bad", "no_rows"]  # what is missing stays last
    assert browser.run("document.querySelectorAll('th[aria-sort=descending]').length") == 1
    browser.run("document.querySelector('.picture').focus()")
    browser.press("Enter")
    opened, caption = browser.run(DIALOG)
    assert opened
    assert caption.startswith("truth")
    browser.press("ArrowRight")
    assert browser.run(DIALOG)[1].startswith("measurement")
    assert browser.run("document.querySelector('#enlarged img').naturalWidth") == 16
    browser.press("Escape")
    assert browser.run(DIALOG)[0] is False
    assert browser.run("document.activeElement.className") == "picture"
    assert browser.complaints == []
    assert {address.partition(":")[0] for address in browser.requests} == {"file", "data"}


def test_in_a_browser_nothing_from_a_run_folder_runs(make_run, browser):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    run = make_run("<svg onload=alert(3)>", a={"status": f"failed: {evil}"}, b={"id": "<img src=x onerror=alert(4)>"})
    pages(run)
    browser.open(run / "report.html")
    assert browser.run("document.querySelectorAll('img[src=x], script').length") == 1  # the page's own script
    assert browser.complaints == []
