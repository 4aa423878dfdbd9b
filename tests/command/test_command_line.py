"""The command line from end to end: what is written, how it continues, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.launch import ROOT, Started, command, complete, ended, wait_for_rows

IDS = ["a", "b", "c", "d", "more/e", "more/f"]
UNREPEATABLE = ("seconds", "warm_up", "start")


def table(run: Path) -> list[dict[str, str]]:
    with (run / "per_image.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def repeatable(run: Path) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name not in UNREPEATABLE} for row in table(run)]


def pictures(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in run.rglob("*.png")}


def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def assert_same_results(run: Path, other: Path) -> None:
    assert repeatable(run) == repeatable(other)
    assert pictures(run) == pictures(other)


def test_a_run_writes_what_the_page_on_run_folders_says(evaluate, tmp_path, capsys):
    assert evaluate() == 0
    run = tmp_path / "run"
    events = [p.name for p in run.iterdir() if p.name.startswith("events.out.tfevents.")]
    assert len(events) == 1
    assert sorted(p.name for p in run.iterdir()) == sorted(
        [
            "config.yaml",
            "measurements",
            "metrics.json",
            "per_image.csv",
            "provenance.jsonl",
            "rows",
            "samples",
            "trace.json",
            *events,
        ]
    )
    assert set(pictures(run)) == {f"{kind}/{i}.png" for kind in ("samples", "measurements") for i in IDS}
    rows = table(run)
    assert [row["id"] for row in rows] == IDS
    assert {row["status"] for row in rows} == {"ok"}
    assert {(row["nfe_forward"], row["nfe_backward"]) for row in rows} == {("5", "4")}
    assert metrics(run)["metrics"]["psnr"]["n"] == 6
    assert capsys.readouterr().err.count("\n") == 1  # LPIPS is unavailable, and nothing else is said


def test_the_settings_in_the_folder_make_the_same_run_again(evaluate, tmp_path):
    assert evaluate() == 0
    assert evaluate("--config", tmp_path / "run" / "config.yaml", into="again") == 0
    assert_same_results(tmp_path / "run", tmp_path / "again")


def test_a_complete_run_is_left_as_it_is(evaluate, tmp_path):
    assert evaluate() == 0
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert evaluate() == 0
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (tmp_path / "run").rglob("*") if p.is_file()} == before


def test_every_image_is_sampled_as_often_as_asked_of_one_measurement(evaluate, tmp_path):
    assert evaluate("--data.samples_per_image", 2, "--data.limit", 2, "--data.batch_size", 3) == 0
    run = tmp_path / "run"
    assert [(row["id"], row["sample"]) for row in table(run)] == [("a", "0"), ("a", "1"), ("b", "0"), ("b", "1")]
    made = pictures(run)
    assert {n for n in made if n.startswith("samples")} == {f"samples/{n}.png" for n in ("a", "a.1", "b", "b.1")}
    assert {n for n in made if n.startswith("measurements")} == {"measurements/a.png", "measurements/b.png"}
    assert made["samples/a.png"] != made["samples/a.1.png"]


def test_a_run_stopped_halfway_continues_with_another_batch_size(evaluate, tmp_path):
    assert evaluate("--data.limit", 2) == 0
    assert [row["id"] for row in table(tmp_path / "run")] == ["a", "b"]
    assert evaluate("--data.batch_size", 4) == 0
    assert [row["id"] for row in table(tmp_path / "run")] == IDS
    assert metrics(tmp_path / "run")["images"] == 6


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_run_that_is_ended_keeps_what_is_finished_and_continues_to_the_same_results(
    evaluate, settings, tmp_path, monkeypatch, sent, code
):
    slow = ("--model.score_model.class_path", "tests.toy_faults.Slow")
    monkeypatch.setattr("tests.toy_faults.PAUSE", 0.0)  # in this process
    run = tmp_path / "run"
    process = Started(command(settings, run, *slow))
    wait_for_rows(run, 1)
    process.send_signal(sent)
    stderr = ended(process)
    assert process.returncode == code, stderr
    journal = (run / "rows" / "rank0.jsonl").read_text().splitlines()
    assert 0 < len(journal) < 6
    assert {f"samples/{json.loads(line)['id']}.png" for line in journal} <= set(pictures(run))
    if sent != signal.SIGKILL:
        assert stderr.splitlines()[-1] == "interrupted; finished images are kept, and the same command continues"
        assert "Traceback" not in stderr
        assert len(table(run)) == metrics(run)["images"] == len(journal)
        assert not list(run.rglob("*.tmp"))
    assert evaluate(*slow) == 0
    assert evaluate(*slow, into="undisturbed") == 0
    assert_same_results(run, tmp_path / "undisturbed")
    assert metrics(run)["metrics"]["psnr"] == metrics(tmp_path / "undisturbed")["metrics"]["psnr"]


def test_one_corrupt_and_one_small_image_fail_by_name_and_the_rest_is_evaluated(
    evaluate, tmp_path, image_folder, capsys
):
    whole = (image_folder / "b.png").read_bytes()
    (image_folder / "b.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (8, 8)).save(image_folder / "c.png")
    assert evaluate() == 1
    failed = {row["id"]: row["status"] for row in table(tmp_path / "run") if row["status"] != "ok"}
    assert set(failed) == {"b", "c"}
    assert failed["b"].startswith("failed: cannot read")
    assert "8x8, smaller than the model's 16x16" in failed["c"]
    assert [f["id"] for f in metrics(tmp_path / "run")["failures"]] == ["b", "c"]
    assert metrics(tmp_path / "run")["metrics"]["psnr"]["n"] == 4
    stderr = capsys.readouterr().err
    assert "2 of 6 samples failed" in stderr
    assert "Traceback" not in stderr
    # mended, the same command evaluates them as well
    (image_folder / "b.png").write_bytes(whole)
    (image_folder / "c.png").write_bytes(whole)
    assert evaluate() == 0
    assert {row["status"] for row in table(tmp_path / "run")} == {"ok"}


def test_a_sample_that_is_not_finite_fails_alone(evaluate, tmp_path, image_folder):
    """The network answers NaN for dark states, and the guidance leads black b there."""
    options = ("--model.guidance.guidance_rate", 1.0)
    Image.new("RGB", (16, 16), "black").save(image_folder / "b.png")
    assert evaluate(*options, into="sound") == 0
    assert evaluate(*options, "--model.score_model.nan_below", -0.25) == 1
    statuses = {row["id"]: row["status"] for row in table(tmp_path / "run")}
    assert statuses == dict.fromkeys(IDS, "ok") | {"b": "failed: the sample is not finite"}
    assert not (tmp_path / "run" / "samples" / "b.png").exists()
    healthy = [row for row in repeatable(tmp_path / "sound") if row["id"] != "b"]
    assert [row for row in repeatable(tmp_path / "run") if row["id"] != "b"] == healthy
    assert metrics(tmp_path / "run")["failures"] == [
        {"id": "b", "sample": 0, "status": "failed: the sample is not finite"}
    ]


def test_a_missing_backbone_is_listed_with_its_file_and_folder_and_the_run_goes_on(evaluate, tmp_path):
    assert evaluate() == 0
    reason = metrics(tmp_path / "run")["unavailable"]["lpips_vgg"]
    assert "vgg16-397923af.pth" in reason
    assert str(tmp_path / "no backbones") in reason
    assert "lpips_vgg" not in metrics(tmp_path / "run")["metrics"]


def test_a_damaged_backbone_is_listed_and_the_run_goes_on(evaluate, tmp_path):
    (tmp_path / "no backbones").mkdir()
    (tmp_path / "no backbones" / "vgg16-397923af.pth").write_bytes(b"half a download")
    assert evaluate() == 0
    assert "is damaged" in metrics(tmp_path / "run")["unavailable"]["lpips_vgg"]


def test_labels_reach_a_conditional_model(evaluate, tmp_path, image_folder):
    labels = tmp_path / "labels.csv"
    model = ("--model.score_model.class_path", "tests.toy_faults.Conditional", "--data.labels", labels)
    labels.write_text("".join(f"{i},0\n" for i in IDS))
    assert evaluate(*model, into="zeros") == 0
    labels.write_text("".join(f"{i},2\n" for i in IDS))
    assert evaluate(*model, into="twos") == 0
    assert pictures(tmp_path / "zeros")["samples/a.png"] != pictures(tmp_path / "twos")["samples/a.png"]


def test_out_of_memory_names_the_largest_batch_that_fits_and_that_continues(evaluate, tmp_path, capsys):
    greedy = ("--model.score_model.class_path", "tests.toy_faults.Greedy")
    assert evaluate(*greedy) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: out of memory; finished images are kept: data.batch_size 2 does not fit on cpu")
    assert "set data.batch_size to 1, or to auto" in last
    assert evaluate(*greedy, "--data.batch_size", 1) == 0
    assert len(table(tmp_path / "run")) == 6


def test_an_error_of_the_code_keeps_its_traceback(evaluate):
    with pytest.raises(ZeroDivisionError, match="a bug"):
        evaluate("--model.score_model.class_path", "tests.toy_faults.Mistaken")


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """As on a full disk: no file of this process grows beyond `size` bytes."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_the_run_in_one_line_and_a_later_run_continues(evaluate, tmp_path, capsys):
    """No file may grow beyond 10000 bytes from the second batch on: the journal's next rows do not fit."""
    run = tmp_path / "run"
    options = ("--quality.lpips", "[]", "--diagnostics.images", "0", "--trainer.logger", "false")
    assert evaluate(*options) == 0
    before = pictures(run)
    journal = run / "rows" / "rank0.jsonl"
    first, second, *_ = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes((first + second).ljust(10_000 - 20, b"\n"))
    capsys.readouterr()
    with no_file_beyond(10_000):
        assert evaluate(*options) == 2
    stderr = capsys.readouterr().err
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == (
        f"error: cannot write {journal}: File too large; finished images are kept, mend that or take another run_dir "
        "(--out_dir, --out), and run again"
    )
    assert before.items() <= pictures(run).items()
    assert not list(run.rglob("*.tmp"))
    assert evaluate(*options) == 0
    assert evaluate(*options, into="undisturbed") == 0
    assert_same_results(run, tmp_path / "undisturbed")


def test_a_disk_that_is_too_full_for_tensorboard_ends_the_run_without_a_traceback_and_without_waiting(
    settings, tmp_path
):
    process = Started(command(settings, tmp_path / "run"), largest_file=3000)
    stderr = ended(process)
    assert process.returncode == 2, stderr
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == "error: File too large; finished images are kept, mend and run again"


LIGHT = """
import contextlib, io, json, sys
import torch

asked = []
cuda = {name: getattr(torch.cuda, name) for name in ("device_count", "is_available", "init")}
vars(torch.cuda).update({name: lambda *_, name=name: asked.append(name) for name in cuda})
import dsg, dsg.sampling, dsg.guidance, tasks
seen = {"lightning": "lightning" in sys.modules}
import dsg.module, train_free_eval
import lightning.pytorch.cli, torchmetrics.image, torch.utils.tensorboard, matplotlib, rich.progress
vars(torch.cuda).update(cuda)
seen["asked"] = list(asked)
for arguments in (["--help"], ["predict", "--help"]):
    sys.argv = ["train_free_eval.py", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            code = train_free_eval.main()
        except SystemExit as end:
            code = end.code
    heavy = {"lpips", "cleanfid", "diffusers", "pandas"}  # transformers comes with torchmetrics, if it is installed
    seen[" ".join(arguments)] = {"code": code, "said": said.getvalue(), "heavy": sorted(heavy & set(sys.modules))}
vars(torch.cuda).update({name: lambda *_, name=name: asked.append(name) for name in cuda})
import pandas
seen["asked"] = asked
json.dump(seen, sys.stdout)
"""


@pytest.fixture(scope="module")
def imported():
    """What a fresh process has imported with the library alone, and after each help; what imports asked of CUDA."""
    done = subprocess.run([sys.executable, "-c", LIGHT], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_library_is_there_without_lightning(imported):
    assert not imported["lightning"]


def test_no_import_asks_for_gpus(imported):
    """Where NVML is missing, a worker of a comparison could no longer choose its own."""
    assert imported["asked"] == []


@pytest.mark.parametrize("arguments", ["--help", "predict --help"])
def test_the_help_comes_without_the_heavy_libraries(imported, arguments):
    found = imported[arguments]
    assert found["code"] in (0, None)
    assert "usage: train_free_eval.py" in found["said"]
    assert found["heavy"] == []


UNTOUCHED = """
import importlib, importlib.util, os, pkgutil, signal, sys, threading, warnings, multiprocessing
import torch

def asked(*_):
    raise AssertionError("an import asks for GPUs: without NVML a worker could no longer choose its own")

import lightning.pytorch.cli, torchmetrics.image, torch.utils.tensorboard, matplotlib, pandas, rich.progress
import diffusers.models.unets.unet_2d, lpips, cleanfid  # which may ask: the command line does not import them
vars(torch.cuda).update(dict.fromkeys(("device_count", "is_available", "init"), asked))

def told_to_others():
    backends = torch.backends
    return {
        "warnings": list(warnings.filters), "environment": dict(os.environ), "finders": list(sys.meta_path),
        "find_spec": importlib.util.find_spec, "start method": multiprocessing.get_start_method(allow_none=True),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()], "hooks": threading.excepthook,
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()), "dtype": torch.get_default_dtype(),
        "products": torch.get_float32_matmul_precision(), "cudnn": (backends.cudnn.allow_tf32, backends.cudnn.enabled),
        "deterministic": torch.are_deterministic_algorithms_enabled(), "gradients": torch.is_grad_enabled(),
        "backend": matplotlib.rcParams._get("backend"),
    }

before = told_to_others()
import callbacks, dsg, tasks, train_free_eval
for room in (dsg, tasks, callbacks):
    for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        if not module.name.endswith(("__main__", "deepinv_physics", "deepinv_operators")):
            importlib.import_module(module.name)
after = told_to_others()
changed = [name for name in before if before[name] != after[name]]
from torchmetrics.utilities.imports import _TORCHVISION_AVAILABLE as found
from lightning_utilities.core.imports import module_available
assert not changed, changed
assert found and module_available("torchvision")
"""


def test_to_import_all_of_this_tells_no_other_library_anything(tmp_path):
    """Neither that another is missing, which torchmetrics asks once and remembers, nor by a switch of the process."""
    (tmp_path / "untouched.py").write_text(UNTOUCHED)
    complete(Started([str(tmp_path / "untouched.py")]))


def test_an_experiment_includes_its_parts_relative_to_itself_and_its_own_lines_win(evaluate, tmp_path, settings):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "steps.yaml").write_text("include: [../settings.yaml]\nmodel: {steps: 3, seed: 1}")
    (tmp_path / "experiment.yaml").write_text("include: [parts/steps.yaml, settings.yaml]\nmodel: {seed: 2}")
    assert evaluate("--config", tmp_path / "experiment.yaml") == 0
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (kept["model"]["steps"], kept["model"]["seed"]) == (3, 2)
    assert os.fspath(tmp_path / "images") == kept["data"]["init_args"]["root"]


@pytest.mark.parametrize("option", ["--trainer.callbacks", "--callbacks.timer"])
def test_a_callback_of_lightning_whose_default_is_a_kind_of_text_runs_is_recorded_and_continues(
    evaluate, tmp_path, capsys, option
):
    options = (option, "lightning.pytorch.callbacks.Timer", "--data.limit", "1")
    assert evaluate(*options) == 0
    assert "interval: step" in (tmp_path / "run/config.yaml").read_text()
    before = metrics(tmp_path / "run")
    capsys.readouterr()
    assert evaluate(*options) == 0, capsys.readouterr().err
    assert metrics(tmp_path / "run") == before


def test_a_run_that_was_killed_before_its_summary_is_summarised_by_the_next_start(evaluate, tmp_path):
    assert evaluate() == 0
    run = tmp_path / "run"
    whole, lines = metrics(run), (run / "per_image.csv").read_text().splitlines(keepends=True)
    (run / "per_image.csv").write_text("".join(lines[:3]))
    (run / "metrics.json").unlink()
    assert evaluate() == 0
    assert (run / "per_image.csv").read_text() == "".join(lines)
    assert {name: metrics(run)[name] for name in ("metrics", "images", "unavailable")} == {
        name: whole[name] for name in ("metrics", "images", "unavailable")
    }


def test_true_bfloat16_measures_the_images_as_float32_does(evaluate, tmp_path):
    saved = ("--writer.save_measurements", "true")
    assert evaluate(*saved) == 0
    assert evaluate(*saved, "--trainer.precision", "bf16-true", into="half") == 0
    kept = [(run / "measurements" / "a.safetensors").read_bytes() for run in (tmp_path / "run", tmp_path / "half")]
    assert kept[0] == kept[1]
