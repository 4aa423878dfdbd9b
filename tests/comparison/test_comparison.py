"""`compare`: a grid of runs, and one honest table."""

from __future__ import annotations

import csv
import functools
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageOps

from dsg.comparison.candidate import Candidate
from dsg.comparison.grid import Cell, Grid
from dsg.comparison.layout import legend, overviews, sections
from dsg.comparison.made_otherwise import made_otherwise
from dsg.comparison.plan import Comparison, read_comparison
from dsg.comparison.render import latex, markdown
from dsg.comparison.results import read_results
from dsg.comparison.table import AS_GOOD, BEST, LOST, OTHERWISE, make_table
from dsg.comparison.tuning import Choice, Tuning
from dsg.errors import UserError
from dsg.metrics.direction import LESS, MORE, UNKNOWN
from dsg.metrics.per_image import per_image
from dsg.metrics.results import Results
from dsg.module import GuidedDiffusion
from dsg.run_folder.folder import RunFolder
from tests.toy import Toy
from train_free_eval import main

ROOT = Path(__file__).parents[2]
STEP_SIZE = "model.guidance.init_args.step_size"


def guidance(name: str, **arguments) -> dict:
    return {"model": {"guidance": {"class_path": f"dsg.guidance.{name}", "init_args": arguments}}}


@pytest.fixture
def plan(settings: Path) -> dict:
    """Two tasks and two methods over two of the six images, not tuned."""
    content = yaml.safe_load(settings.read_text())
    content["data"]["init_args"]["limit"] = 2
    del content["model"]["task"], content["model"]["guidance"]
    content["model"]["steps"] = 2
    content["comparison"] = {
        "tasks": {n: {"model": {"task": {"class_path": f"tasks.{n}"}}} for n in ("RandomInpainting", "Denoising")},
        "methods": {"dps": guidance("DPS", step_size=1.0), "unguided": guidance("Unguided")},
        "metrics": ["psnr", "ssim"],
    }
    return content


@pytest.fixture
def compare(plan: dict, tmp_path: Path, capsys):
    """Run `compare` on the plan in this process: → (exit code, stdout, stderr)."""

    def run(*options: str) -> tuple[int, str, str]:
        file = tmp_path / "comparison.yaml"
        file.write_text(yaml.safe_dump(plan, sort_keys=False))
        try:
            code = main(["compare", "--config", str(file), "--out_dir", str(tmp_path / "out"), *options])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def rows(tmp_path: Path) -> list[dict[str, str]]:
    with (tmp_path / "out" / "table.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def results_of(failed: Sequence[str] = (), noisy: bool = True, **metrics: dict[str, float]) -> Results:
    """Of metric: image id: value; samples of the images `failed` failed."""
    ids = sorted({key for values in metrics.values() for key in values})
    rows = [
        {"id": key, "sample": 0, "status": "ok", **{n: v[key] for n, v in metrics.items() if key in v}} for key in ids
    ]
    rows += [{"id": key, "sample": 9, "status": "failed: the sample is not finite"} for key in failed]
    return Results(per_image(rows), noisy=noisy)


def table_of(metrics: list[str], methods: dict[str, Results]) -> tuple[list, str]:
    """The rows of a comparison of finished runs on one task, and its Markdown."""
    comparison = Comparison({"t": {}}, {name: {} for name in methods}, metrics)
    grid = Grid(comparison, {}, Path("unused"))
    results = {Cell("t", name, "default"): found for name, found in methods.items()}
    table = make_table(grid, results, dict.fromkeys(results, Choice(Candidate())), {})
    return table, markdown(sections(table, comparison), legend(table, comparison, made_otherwise(results).what))


def tune(plan: dict, values: list[float]) -> None:
    """DPS chooses among `values` on the images of another folder."""
    other = Path(plan["data"]["init_args"]["root"]).with_name("others")
    other.mkdir(exist_ok=True)
    for name in ("a", "b"):
        with Image.open(other.with_name("images") / f"{name}.png") as image:
            ImageOps.flip(image).save(other / f"tuning_{name}.png")
    plan["comparison"]["methods"]["dps"]["tune"] = {STEP_SIZE: values}
    plan["comparison"]["tuning"] = {"metric": "psnr", "data": {"init_args": {"root": str(other)}}}


def test_a_comparison_writes_a_run_a_grid_point_and_its_tables_and_plots(compare, tmp_path):
    code, out, err = compare()
    assert (code, err) == (0, "")
    made = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {"table.md", "table.csv", "table.tex", "quality_against_seconds.png", "quality_against_nfe.png"}
    assert made == tables | {"runs", "configs", "logs"}
    assert "4/4 runs/Denoising/unguided/default: psnr" in out
    found = {(row["task"], row["method"], row["metric"]): row for row in rows(tmp_path)}
    assert len(found) == 8
    for (task, method, metric), row in found.items():
        known = json.loads((tmp_path / "out" / "runs" / task / method / "default" / "metrics.json").read_text())
        for name in ("mean", "low", "high", "n"):
            assert float(row[name]) == pytest.approx(known["metrics"][metric][name])
    dps = found["Denoising", "dps", "psnr"]
    other = found["Denoising", "unguided", "psnr"]
    assert dps["difference"] == ""
    assert float(other["difference"]) == pytest.approx(float(other["mean"]) - float(dps["mean"]))
    assert (other["nfe_forward"], other["nfe_backward"], other["pairs"]) == ("2.0", "0.0", "2")


def test_the_same_command_samples_nothing_again_and_tells_no_time_by_what_was_there(compare, tmp_path):
    code, out, _ = compare()
    assert (code, out.count("; about")) == (0, 4)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "runs").rglob("*") if p.is_file()}
    code, out, _ = compare()
    assert (code, out.count("; about"), out.count("default: psnr")) == (0, 0, 4)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "runs").rglob("*") if p.is_file()} == before


def test_a_comparison_that_lies_among_its_images_evaluates_those_alone(compare, plan, image_folder):
    plan["data"]["init_args"]["limit"] = None
    del plan["comparison"]["tasks"]["Denoising"]
    out = image_folder / "more" / "out"
    for _ in range(2):
        assert compare("--out_dir", str(out))[0] == 0
        with (out / "table.csv").open(newline="") as handle:
            assert {row["n"] for row in csv.DictReader(handle)} == {"6"}


def test_the_best_candidate_on_the_tuning_images_is_evaluated_and_marked_at_an_end_of_its_grid(compare, plan, tmp_path):
    tune(plan, [0.0, 0.5, 1.0])
    assert compare()[0] == 0
    for task in ("RandomInpainting", "Denoising"):
        folder = tmp_path / "out" / "tuning" / task / "dps" / "default"
        chosen = tmp_path / "out" / "runs" / task / "dps" / "default"
        scores = {value: read_results(folder / f"step_size={value}").mean("psnr") for value in (0.0, 0.5, 1.0)}
        best = max(scores, key=lambda value: scores[value])
        assert [path.name for path in chosen.iterdir()] == [f"step_size={best}"]
        run = yaml.safe_load((chosen / f"step_size={best}" / "config.yaml").read_text())
        assert run["model"]["guidance"]["init_args"]["step_size"] == best
        row = next(row for row in rows(tmp_path) if (row["task"], row["method"]) == (task, "dps"))
        assert row["chosen"] == f"step_size={best}" + ("*" if best in (0.0, 1.0) else "")
    assert "not tuned" in (tmp_path / "out" / "table.md").read_text()


def test_of_candidates_that_failed_as_often_the_best_on_their_common_images_is_chosen(plan, tmp_path, monkeypatch):
    """The first has lost the hard image, the second the easy one; on what both have the second is better."""
    tune(plan, [0.1, 0.2])
    comparison = Comparison(**plan["comparison"])
    grid, cell = Grid(comparison, {}, tmp_path), Cell("Denoising", "dps", "default")
    found = iter([
        results_of(psnr={"easy": 40.0, "middle": 20.0}, failed=["hard"]),
        results_of(psnr={"hard": 10.0, "middle": 21.0}, failed=["easy"]),
    ])  # fmt: skip
    monkeypatch.setattr("dsg.comparison.tuning.read_results", lambda _: next(found))
    assert str(Tuning(grid, [cell], lambda _: None).choose(cell).candidate) == "step_size=0.2"


def test_a_wider_grid_continues_and_runs_the_new_candidates_and_the_new_choice_alone(compare, plan, tmp_path):
    plan["comparison"]["tasks"].pop("Denoising")
    tune(plan, [0.0, 1.0])
    assert compare()[0] == 0
    out = tmp_path / "out"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("per_image.csv")}
    assert {str(path.parent.relative_to(out)) for path in before} == {
        "runs/RandomInpainting/dps/default/step_size=1.0",
        "runs/RandomInpainting/unguided/default",
        "tuning/RandomInpainting/dps/default/step_size=0.0",
        "tuning/RandomInpainting/dps/default/step_size=1.0",
    }
    tune(plan, [0.0, 1.0, 8.0])
    code, _, err = compare()
    assert (code, err) == (0, "")
    after = {path: path.stat().st_mtime_ns for path in out.rglob("per_image.csv")}
    assert before.items() < after.items()  # finished work is as it was
    assert {str(path.parent.relative_to(out)) for path in after.keys() - before.keys()} == {
        "tuning/RandomInpainting/dps/default/step_size=8.0",
        "runs/RandomInpainting/dps/default/step_size=8.0",
    }
    chosen = {row["chosen"] for row in rows(tmp_path) if row["method"] == "dps"}
    assert chosen == {"step_size=8.0*"}


@pytest.fixture
def built(monkeypatch) -> list[dict]:
    """The arguments of each toy network that is built."""
    made: list[dict] = []
    build = Toy.__init__

    def counted(self, **arguments) -> None:
        made.append(arguments)
        build(self, **arguments)

    monkeypatch.setattr(Toy, "__init__", functools.wraps(build)(counted))
    return made


def test_candidates_share_one_score_model_until_the_first_sample(compare, plan, built, monkeypatch):
    """Two tasks, four candidates of one method and another without: twelve checks, one network."""
    checked = []
    check = GuidedDiffusion.check
    monkeypatch.setattr(GuidedDiffusion, "check", lambda self, data: (checked.append(len(built)), check(self, data))[1])
    tune(plan, [0.25, 0.5, 1.0, 2.0])
    monkeypatch.setattr("dsg.comparison.command._Comparing.run", lambda *_: 0)
    assert compare()[0] == 0
    assert checked == [1] * 12


def test_another_model_is_another_score_model(compare, plan, built, monkeypatch):
    learned = {"model": {"score_model": {"init_args": {"learns_variance": True}}}}
    plan["comparison"]["settings"] = {"fixed": {}, "learned": learned}
    monkeypatch.setattr("dsg.comparison.command._Comparing.run", lambda *_: 0)
    assert compare()[0] == 0
    assert [kwargs["learns_variance"] for kwargs in built] == [False, True]


def test_what_a_table_of_strengths_lacks_is_told_once_before_the_first_sample(compare, plan, tmp_path, monkeypatch):
    row = {"task": "tasks.Denoising", "steps": 10, "guidance": "dsg.guidance.DPS", "set": {"step_size": 3.0}}
    table = {"chosen": {"so": "by a test"}, "strengths": [row | {"chosen": "so"}]}
    (tmp_path / "table.yaml").write_text(yaml.safe_dump(table))
    plan["strengths"] = "table.yaml"
    plan["comparison"]["methods"]["dps"] = guidance("DPS")
    monkeypatch.setattr("dsg.comparison.command._Comparing.run", lambda *_: 0)
    code, _, err = compare()
    assert code == 0
    jumped, unknown = sorted(err.splitlines())
    assert "DPS for Denoising in 10 steps and not in 2: takes step_size=3.0" in jumped
    assert "no DPS for RandomInpainting as it is set here: takes the class's own step_size=1.0" in unknown
    run = tmp_path / "out" / "configs" / "runs" / "Denoising" / "dps" / "default.yaml"
    assert yaml.safe_load(run.read_text())["model"]["guidance"]["init_args"] == {"step_size": 3.0}


def test_unequal_numbers_of_candidates_are_refused_with_the_methods_named(compare, plan):
    tune(plan, [0.5, 1.0])
    plan["comparison"]["methods"]["more"] = {**guidance("DPS"), "tune": {STEP_SIZE: [1.0, 2.0, 3.0]}}
    code, _, err = compare()
    assert code == 2
    assert err.startswith("error: comparison.methods: unequal numbers of tuning candidates: dps 2, more 3")


def test_tuning_on_images_that_are_evaluated_is_refused(compare, plan):
    tune(plan, [0.5, 1.0])
    plan["comparison"]["tuning"]["data"] = {"init_args": {"limit": 1}}
    code, _, err = compare()
    assert code == 2
    assert "1 images, the first a, are evaluated too" in err


def test_tuning_on_evaluated_pictures_under_other_names_is_refused(compare, plan):
    """Copied to another folder as JPEG, which changes every pixel a little."""
    tune(plan, [0.5, 1.0])
    images = Path(plan["data"]["init_args"]["root"])
    others = Path(plan["comparison"]["tuning"]["data"]["init_args"]["root"])
    with Image.open(images / "b.png") as image:
        image.convert("RGB").save(others / "mine.jpg", quality=95, subsampling=0)
    code, _, err = compare()
    assert (code, err.count("\n")) == (2, 1)
    assert "1 pictures are evaluated too under another name, the first mine is b" in err


def test_a_comparison_goes_beyond_its_grid_and_continues_where_it_was_stopped(compare, plan, tmp_path):
    plan["comparison"]["tasks"].pop("Denoising")
    tune(plan, [0.0, 0.5])
    plan["comparison"]["tuning"]["budget"] = {"candidates": 4}
    assert compare()[0] == 0
    made = {path.name for path in (tmp_path / "out" / "tuning" / "RandomInpainting" / "dps" / "default").iterdir()}
    assert made == {"step_size=0.0", "step_size=0.5", "step_size=1.0", "step_size=2.0"}
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("per_image.csv")}
    plan["comparison"]["tuning"]["budget"] = {"candidates": 5}
    assert compare()[0] == 0
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("per_image.csv")}
    assert before.items() < after.items()


def test_spread_images_leave_others_to_tune_on(compare, plan, monkeypatch):
    monkeypatch.setattr("dsg.comparison.command._Comparing.run", lambda *_: 0)
    tune(plan, [0.5, 1.0])
    plan["data"]["init_args"] |= {"limit": 2, "spread": True}  # a and d
    plan["comparison"]["tuning"]["data"] = {"init_args": {"first": 1, "limit": 1}}  # b
    assert compare()[0] == 0
    plan["comparison"]["tuning"]["data"] = {"init_args": {"first": 3, "limit": 1}}  # d
    code, _, err = compare()
    assert code == 2
    assert "1 images, the first d, are evaluated too" in err


def test_a_later_candidate_that_does_not_fit_is_an_error_with_its_run_s_name(compare, plan, tmp_path):
    tune(plan, [0.5, 1.0])
    plan["comparison"]["unfit"] = "skip"
    plan["comparison"]["tasks"].pop("Denoising")
    deterministic = {"class_path": "dsg.diffusion.kernels.DDIM", "init_args": {"eta": 0.0}}
    plan["comparison"]["methods"]["dsg"] = guidance("DSG") | {
        "tune": {"model.kernel": [{"class_path": "dsg.diffusion.kernels.DDIM"}, deterministic]}
    }
    code, _, err = compare()
    assert (code, err.count("\n")) == (2, 1)
    assert "tuning/RandomInpainting/dsg/default/" in err
    assert not (tmp_path / "out" / "runs").exists()


def test_a_method_that_does_not_fit_is_an_error_before_the_first_sample(compare, plan, tmp_path):
    plan["comparison"]["methods"]["ddrm"] = guidance("DDRM")
    plan["comparison"]["tasks"] |= {"motion": {"model": {"task": {"class_path": "tasks.MotionDeblurring"}}}}
    plan["comparison"]["tasks"]["motion"]["model"]["task"]["init_args"] = {"kernel_size": 5}
    code, _, err = compare()
    assert (code, err.count("\n")) == (2, 1)
    assert "motion/ddrm/default: DDRM needs" in err
    assert not (tmp_path / "out" / "runs").exists()
    plan["comparison"]["unfit"] = "skip"
    assert compare()[0] == 0
    row = next(row for row in rows(tmp_path) if (row["task"], row["method"]) == ("motion", "ddrm"))
    assert row["flags"].startswith("does not fit: DDRM needs")
    assert "does not fit: DDRM" in (tmp_path / "out" / "table.md").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrics": ["psnr", "vibes"]}, "comparison.larger_is_better: is more of vibes better?"),
        ({"metrics": []}, "comparison.metrics: names no metric"),
        ({"metrics": ["lpips_vgg"]}, "comparison.metrics: lpips_vgg: wants vgg16-397923af.pth in "),
        ({"baseline": "dsp"}, "comparison.baseline: 'dsp' is none of the methods dps, unguided"),
        ({"interval": "normal"}, "comparison.interval: no such key; there are tasks, methods"),
        ({"method": {}}, "comparison.method: no such key; did you mean methods?"),
        ({"tasks": None}, "comparison.tasks: must hold at least one"),
        ({"tasks": {"a/b": {}}}, "comparison.tasks: 'a/b' names a folder"),
        ({"tasks": {"t": {"include": ["no.yaml"]}}}, "no file at "),
        ({"tuning": {"data": {}}}, "comparison.tuning: names no `metric`"),
        ({"methods": {"dps": guidance("DPS", stepsize=1)}}, "runs/RandomInpainting/dps/default: "),
        ({"methods": {"dps": guidance("DPS", step_size=-1.0)}}, "dps/default: step_size: must be at least 0, got -1.0"),
    ],
)
def test_a_mistake_is_one_line(compare, plan, change, said):
    plan["comparison"] |= change
    code, _, err = compare()
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: ")
    assert said in err


def test_an_optional_metric_that_is_missing_is_said_and_left_out(compare, plan, tmp_path):
    plan["comparison"] |= {"metrics": ["psnr", "lpips_vgg"], "optional_metrics": ["lpips_vgg"]}
    code, out, _ = compare()
    assert code == 0
    assert "unavailable: lpips_vgg: wants" in out
    assert {row["metric"] for row in rows(tmp_path)} == {"psnr"}


@pytest.mark.parametrize("asked", ["metrics", "tuning"])
def test_a_metric_that_is_known_to_be_missing_is_refused_before_the_first_sample(compare, plan, tmp_path, asked):
    tune(plan, [0.5, 1.0])
    comparison = plan["comparison"]
    if asked == "metrics":
        comparison["metrics"].append("lpips_vgg")
    else:
        comparison["tuning"]["metric"] = "lpips_vgg"
    code, _, err = compare()
    assert code == 2
    assert re.search(r"error: \S+: comparison\.metrics: lpips_vgg: wants vgg16-397923af\.pth .* optional_metrics", err)
    assert not list(tmp_path.rglob("rank0.jsonl"))


@pytest.mark.parametrize(
    ("asked", "metric"), [("tuning", "lpips_alex"), ("tuning", "psnr_of_hats"), ("metrics", "sliced_wasserstein")]
)
def test_a_metric_that_nothing_measures_is_refused_before_the_first_sample(compare, plan, tmp_path, asked, metric):
    tune(plan, [0.5, 1.0])
    if asked == "metrics":
        plan["comparison"]["metrics"].append(metric)
    else:
        plan["comparison"]["tuning"]["metric"] = metric
    code, _, err = compare()
    assert code == 2
    folder = "runs" if asked == "metrics" else "tuning"
    assert f"error: {folder}/RandomInpainting/dps/default" in err
    assert f"comparison.tuning.metric: nothing in this run measures {metric}; correct the name" in err
    assert not list(tmp_path.rglob("rank0.jsonl"))


@pytest.mark.parametrize("metric", ["std_psnr", "coverage_pixel"])
def test_a_spread_of_one_sample_an_image_is_refused_before_the_first_sample(compare, plan, tmp_path, metric):
    plan["comparison"]["metrics"].append(metric)
    code, _, err = compare()
    assert code == 2
    assert f"comparison.metrics: {metric}: is of several samples of an image; set data.samples_per_image to 2" in err
    assert not list(tmp_path.rglob("rank0.jsonl"))


def test_a_spread_is_compared_image_by_image_and_shown_without_a_verdict(compare, plan, tmp_path):
    plan["data"]["init_args"]["samples_per_image"] = 2
    del plan["comparison"]["tasks"]["Denoising"]
    plan["comparison"]["metrics"] = ["psnr", "std_psnr", "psnr_worst", "crps_pixel"]
    code, _, err = compare()
    assert code == 0, err
    found = {row["metric"]: row for row in rows(tmp_path) if row["method"] == "unguided"}
    assert [found[name]["better"] for name in ("std_psnr", "psnr_worst", "crps_pixel")] == ["", "↑", "↓"]
    assert found["std_psnr"]["pairs"] == found["psnr_worst"]["pairs"] == "2"
    assert not {BEST, AS_GOOD} & set(found["std_psnr"]["flags"].split("; "))


def test_a_metric_that_finished_runs_have_may_want_weights_that_are_gone(compare, plan, tmp_path):
    del plan["comparison"]["tasks"]["Denoising"], plan["comparison"]["methods"]["dps"]
    assert compare()[0] == 0
    plan["comparison"]["metrics"].append("lpips_vgg")
    for table in tmp_path.rglob("per_image.csv"):
        journal = table.parent / "rows" / "rank0.jsonl"
        journal.write_text(journal.read_text().replace('"psnr"', '"lpips_vgg": 0.5, "psnr"'))
        folder = RunFolder(table.parent)
        folder.finish(json.loads((table.parent / "metrics.json").read_text()))
    assert compare()[0] == 0
    assert "lpips_vgg" in {row["metric"] for row in rows(tmp_path)}


def test_images_that_fail_are_counted_and_left_out_of_the_pairs(compare, plan, tmp_path):
    plan["data"]["init_args"]["limit"] = 3
    Path(plan["data"]["init_args"]["root"], "b.png").write_bytes(b"no picture")
    code, *_ = compare()
    assert code == 1
    row = next(row for row in rows(tmp_path) if row["method"] == "unguided")
    assert (row["failures"], row["n"], row["pairs"]) == ("1", "2", "2")


def test_workers_give_the_results_of_one_process_and_find_a_method_in_the_current_folder(
    compare, plan, tmp_path, monkeypatch
):
    (tmp_path / "my_compared_method.py").write_text(
        "from dataclasses import dataclass\nfrom dsg.guidance import DPS\n\n@dataclass(frozen=True)\n"
        "class Mine(DPS):\n    step_size: float = 0.5\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    mine = {"model": {"guidance": {"class_path": "my_compared_method.Mine"}}}
    plan["comparison"]["tasks"].pop("Denoising")
    plan["comparison"]["methods"] = {"mine": mine, "unguided": guidance("Unguided")}
    for workers in ("1", "2"):
        code, _, err = compare("--workers", workers, "--out_dir", workers)
        assert (code, err) == (0, "")
    for method in ("mine", "unguided"):
        one, two = (read_results(tmp_path / w / "runs" / "RandomInpainting" / method / "default") for w in "12")
        assert one.images["psnr"] == two.images["psnr"]
    assert "images" in (tmp_path / "2" / "logs" / "runs" / "RandomInpainting" / "mine" / "default.log").read_text()


def test_a_comparison_and_predict_read_a_file_alike(compare, plan, tmp_path, monkeypatch):
    """Another class with an argument of the same name, which once was kept by the one and dropped by the other."""
    (tmp_path / "dps.yaml").write_text(yaml.safe_dump(guidance("DPS", step_size=3.0)))
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({"include": ["dps.yaml"], **guidance("MPGD")}))
    plan["comparison"]["methods"] = {"other": {"include": ["other.yaml"]}}
    plan["comparison"]["tasks"].pop("Denoising")
    assert compare()[0] == 0
    folder = tmp_path / "out" / "runs" / "RandomInpainting" / "other" / "default"
    run = yaml.safe_load((folder / "config.yaml").read_text())
    (tmp_path / "shared.yaml").write_text(yaml.safe_dump({k: v for k, v in plan.items() if k != "comparison"}))
    task = ["--model.task", "tasks.RandomInpainting", "--trainer.devices", "1"]
    files = ["--config", str(tmp_path / "shared.yaml"), "--config", str(tmp_path / "other.yaml")]
    assert main(["predict", *files, *task, "--run_dir", str(tmp_path / "alone")]) == 0
    assert yaml.safe_load((tmp_path / "alone" / "config.yaml").read_text()) == run
    assert run["model"]["guidance"]["init_args"]["step_size"] == 16.0  # MPGD's own


def test_a_file_that_includes_a_comparison_overrides_it_and_takes_methods_away(tmp_path):
    file = tmp_path / "mine.yaml"
    shipped = ROOT / "configs" / "comparison" / "smoke.yaml"
    file.write_text(f"include: [{shipped}]\nmodel: {{steps: 3}}\ncomparison: {{methods: {{dsg: null}}, unfit: skip}}\n")
    comparison, shared = read_comparison([file])
    assert list(comparison.methods) == ["unguided", "dps"]
    assert comparison.methods["dps"]["model"]["guidance"]["class_path"] == "dsg.guidance.DPS"
    assert (shared["model"]["steps"], comparison.unfit) == (3, "skip")


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "comparison").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_shipped_comparison_is_readable_and_says_its_command_cost_and_result(path):
    read_comparison([path])
    head = "\n".join(line for line in path.read_text().splitlines() if line.startswith("#"))
    assert f"compare --config configs/comparison/{path.name}" in head
    assert "cost" in head.lower()
    assert "expect" in head.lower()


def test_marks_are_by_pairs_not_by_overlap():
    """The images differ much more than the methods do: intervals overlap, pairs are clear."""
    spread = {str(i): 10.0 * i for i in range(8)}
    noise = {key: value + (-1) ** int(key) for key, value in spread.items()}
    worse = {key: value - 0.5 for key, value in spread.items()}
    names = {"good": spread, "as_good": {k: v - 0.1 for k, v in noise.items()}, "worse": worse}
    comparison = Comparison({"t": {}}, {name: {} for name in names}, ["psnr"])
    grid = Grid(comparison, {}, Path("unused"))
    results = {Cell("t", n, "default"): results_of(psnr=v) for n, v in names.items()}
    table = make_table(grid, results, dict.fromkeys(results, Choice(Candidate())), {})
    assert [row.marks[0] for row in table] == [BEST, AS_GOOD, "not tuned"]
    laid_out = sections(table, comparison)
    text = markdown(laid_out, "")
    assert re.search(r"\| \*\*35\.0 \[.*\] \(8\)\*\* \|", text)
    assert "| 34.9† [" in text
    assert "| as\\_good |" in text
    assert r"34.9$^\dagger$ [" in latex(laid_out, "")


@pytest.mark.parametrize(
    ("budget", "words"),
    [({}, "as many candidates for every"), ({"budget": {"candidates": 9}}, "at most 9 candid")],
)
def test_the_legend_says_what_every_method_could_try(budget, words):
    methods = {"m": {"tune": {STEP_SIZE: [1.0, 2.0]}}}
    assert words in legend([], Comparison({"t": {}}, methods, ["psnr"], tuning={"metric": "psnr", **budget}))


def test_a_method_that_failed_on_an_image_is_not_printed_as_best_or_as_good():
    """It lost the hard image, so that its mean is of the easy one; on that it is worse than its rival."""
    rival = results_of(psnr={"easy": 31.0, "hard": 11.0})
    other = results_of(psnr={"easy": 30.5, "hard": 10.0})
    failing = results_of(psnr={"easy": 30.0}, failed=["hard"])
    table, text = table_of(["psnr"], {"failing": failing, "rival": rival, "other": other})
    assert [row.marks[0] for row in table] == [LOST, BEST, AS_GOOD]
    assert table[0].failures == 1
    assert "| 30.0‡ (1) |" in text
    assert "‡: samples failed of images that another method has" in text
    assert "‡" not in table_of(["psnr"], {"rival": rival, "other": other})[1]


def made_by(**torch: Sequence[str]) -> dict[str, Results]:
    """Of method: torch's version in each of its starts; one of its own differs by intent, and so do its weights."""
    found = results_of(psnr={"a": 1.0, "b": 2.0})
    return {
        name: replace(
            found,
            starts=[
                {
                    "start": i,
                    "code": {"own": {"my.Method": name}},
                    "weights": {"net": name},
                    "versions": {"torch": version},
                }
                for i, version in enumerate(versions)
            ],
            unrecorded=0 if versions else 2,
        )
        for name, versions in torch.items()
    }


@pytest.mark.parametrize(
    ("methods", "marked", "said"),
    [
        (made_by(one=["2.6"], two=["2.6"], three=["2.6", "2.6"]), set(), None),
        (made_by(one=[], two=[]), set(), None),
        (made_by(one=["2.6"], two=["2.7"], three=["2.6"]), {"two"}, "versions.torch 2.6 (2 runs), 2.7 (1 run)."),
        (made_by(one=["2.6"], two=["2.6", "2.7"]), {"two"}, "versions.torch 2.6 (2 runs), 2.7 (1 run)."),
        (made_by(one=["2.6"], two=[]), {"two"}, "by starts that differ: what made 1 run is not recorded."),
    ],
)
def test_runs_that_were_not_made_like_the_others_are_marked_and_it_is_said_in_what(methods, marked, said):
    table, markdown = table_of(["psnr"], methods)
    assert {row.method for row in table if OTHERWISE in row.marks} == marked
    assert ("§" in markdown) == bool(marked)
    assert said is None or said in markdown


def test_weights_that_changed_between_the_starts_of_a_run_are_said():
    found = made_by(one=["2.6", "2.6"])["one"]
    starts = [start | {"weights": {"net": str(i)}} for i, start in enumerate(found.starts)]
    _, markdown = table_of(["psnr"], {"one": replace(found, starts=starts)})
    assert "§: made with other code or on another machine than most, or by starts that differ: weights.net" in markdown
    assert "weights.net changed between the starts of 1 run." in markdown


def test_a_comparison_that_continues_with_another_library_says_which_runs_that_were(compare, plan, tmp_path):
    del plan["comparison"]["tasks"]["RandomInpainting"]
    assert compare()[0] == 0
    file = tmp_path / "out/runs/Denoising/unguided/default/provenance.jsonl"
    now = json.loads(file.read_text())["versions"]["numpy"]
    file.write_text(file.read_text().replace(f'"numpy": "{now}"', '"numpy": "1.26.0"'))
    assert compare()[0] == 0
    assert {row["method"] for row in rows(tmp_path) if OTHERWISE in row["flags"]} == {"unguided"}
    assert f"versions.numpy {now} (1 run), 1.26.0 (1 run)." in (tmp_path / "out" / "table.md").read_text()
    assert r"$^\S$" in (tmp_path / "out" / "table.tex").read_text()


def test_an_image_that_nobody_could_read_costs_nobody_the_first_place():
    ids = {"a": 20.0, "b": 30.0}
    worse = {key: value - 1 for key, value in ids.items()}
    table, _ = table_of(["psnr"], {"good": results_of(psnr=ids, failed="c"), "bad": results_of(psnr=worse, failed="c")})
    assert table[0].marks[0] == BEST


def test_the_best_residual_is_the_one_nearest_to_1_and_a_noisy_loss_has_no_best():
    """DPS has fitted the noise: its loss is less than half of the noise's own norm."""
    ids = [str(i) for i in range(8)]
    jitter = {key: 0.01 * (i % 3) for i, key in enumerate(ids)}
    dps = {"loss": {k: 1.7 + d for k, d in jitter.items()}, "residual": {k: (1.7 + d) / 3.9 for k, d in jitter.items()}}
    dsg = {"loss": {k: 4.2 + d for k, d in jitter.items()}, "residual": {k: (4.2 + d) / 3.9 for k, d in jitter.items()}}
    table, text = table_of(["residual", "loss"], {"dps": results_of(**dps), "dsg": results_of(**dsg)})
    found = {(row.method, row.metric): row for row in table}
    assert [found[m, "residual"].marks[0] == BEST for m in ("dps", "dsg")] == [False, True]
    assert found["dsg", "residual"].difference == pytest.approx(0.08 - 0.56, abs=0.02)
    assert not {BEST, AS_GOOD} & set(found["dps", "loss"].marks + found["dsg", "loss"].marks)
    assert "| method | chosen | residual → 1 | loss | \\|residual − 1\\| − dps |" in text
    noiseless, text = table_of(["loss"], {"dps": results_of(**dps, noisy=False), "dsg": results_of(**dsg, noisy=False)})
    assert "loss ↓" in text
    assert noiseless[0].marks[0] == BEST


def test_with_several_tasks_every_mean_is_also_seen_at_a_glance():
    comparison = Comparison({"one": {}, "two": {}}, {"a": {}, "b": {}}, ["psnr", "ssim"])
    values = {"a": {"0": 1.0, "1": 2.0}, "b": {"0": 3.0, "1": 4.0}}
    results = {
        Cell(task, method, "default"): results_of(psnr=values[method])
        for task, method in (("one", "a"), ("one", "b"), ("two", "a"))
    }
    grid = Grid(comparison, {}, Path("unused"))
    unfit = {Cell("two", "b", "default"): "no adjoint"}
    table = make_table(grid, results, dict.fromkeys(results, Choice(Candidate())), unfit)
    (psnr,) = overviews(table, comparison)
    assert psnr.header == ["method", "one", "two"]
    assert [[entry.text.split(" ")[0] for entry in line] for line in psnr.lines] == [
        ["a", "1.5", "1.5"],
        ["b", "3.5", "–"],
    ]
    assert overviews(table, Comparison({"one": {}}, {"a": {}, "b": {}}, ["psnr"])) == []


def test_several_samples_of_an_image_count_as_their_mean_and_empty_fields_as_unmeasured(tmp_path):
    (tmp_path / "per_image.csv").write_text(
        "id,sample,psnr,sw,seconds,warm_up,status\nNA,0,1,5,9,True,ok\nNA,1,3,,9,True,ok\nb,0,inf,7,2,False,ok\n"
    )
    (tmp_path / "metrics.json").write_text('{"metrics": {"fid_clean": {"mean": 4.0}}}')
    (tmp_path / "config.yaml").write_text("model: {}")
    found = read_results(tmp_path)
    together = {"psnr_best": {"NA": 3.0}, "psnr_worst": {"NA": 1.0}, "std_psnr": {"NA": 2**0.5}}
    assert found.images == {"psnr": {"NA": 2.0}, "sw": {"NA": 5.0, "b": 7.0}, "seconds": {"b": 2.0}, **together}
    assert found.mean("fid_clean") == 4.0


def test_an_unknown_direction_is_asked_for():
    comparison = Comparison({"t": {}}, {"m": {}}, ["niceness"], larger_is_better={"niceness": True})
    assert (comparison.direction("niceness"), comparison.direction("box_error")) == (MORE, LESS)
    with pytest.raises(UserError, match="is more of width better"):
        comparison.direction("width")
    with pytest.raises(UserError, match="is more of niceness better"):  # null takes away what an included file says
        Comparison({"t": {}}, {"m": {}}, ["niceness"], larger_is_better={"niceness": None})
    with pytest.raises(UserError, match=r"must be `metric: true or false`, got \{'niceness': 'false'\}"):
        Comparison({"t": {}}, {"m": {}}, ["niceness"], larger_is_better={"niceness": "false"})  # pyright: ignore


def test_a_smaller_loss_is_better_where_there_is_no_noise_or_the_comparison_says_so():
    comparison = Comparison({"t": {}}, {"m": {}}, ["loss"])
    assert (comparison.direction("loss"), comparison.direction("loss", noisy=False)) == (UNKNOWN, LESS)
    assert Comparison({"t": {}}, {"m": {}}, ["loss"], larger_is_better={"loss": False}).direction("loss") == LESS
    tuned = {"m": {"tune": {STEP_SIZE: [1.0]}}}
    with pytest.raises(UserError, match=r"comparison.tuning.metric: a smaller loss may fit .*; take residual"):
        Comparison({"t": {}}, tuned, ["psnr"], tuning={"metric": "loss"})
    with pytest.raises(UserError, match=r"neither more nor less of std_psnr is better; .* `std_psnr: false`"):
        Comparison({"t": {}}, tuned, ["psnr"], tuning={"metric": "std_psnr"})


def test_measurements_without_truth_are_tuned_and_compared_by_their_residual(compare, plan, tmp_path):
    tune(plan, [0.5, 1.0])
    root = plan["data"]["init_args"]["root"]
    own = "dsg.data.measured.MeasuredFolder"
    plan["data"] = {"class_path": own, "init_args": {"measurements": root, "limit": 2}}
    plan["comparison"]["tuning"] = {"metric": "residual", "data": {"init_args": {"measurements": f"{root}/../others"}}}
    plan["comparison"] |= {"metrics": ["residual", "psnr"], "optional_metrics": ["psnr"]}
    del plan["comparison"]["tasks"]["RandomInpainting"]
    code, out, _ = compare()
    assert code == 0
    assert "unavailable: psnr, ssim, lpips_vgg: there is no truth" in out
    found = {row["method"]: row for row in rows(tmp_path)}
    assert [row["metric"] for row in rows(tmp_path)] == ["residual", "residual"]
    chosen = {}
    for value in ("0.5", "1.0"):
        folder = tmp_path / "out/tuning/Denoising/dps/default" / f"step_size={value}"
        mean = json.loads((folder / "metrics.json").read_text())["metrics"]["residual"]["mean"]
        chosen[f"step_size={value}*"] = abs(mean - 1)
    assert found["dps"]["chosen"] == min(chosen, key=chosen.__getitem__)
    plan["comparison"]["metrics"] = ["psnr"]
    plan["comparison"]["optional_metrics"] = []
    code, _, err = compare()
    assert code == 2
    assert "comparison.metrics: psnr, ssim, lpips_vgg: there is no truth to compare with" in err
