"""Of pictures that are too small for a metric it is unavailable, and that is known before the first sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsg.comparison.results import read_results, require_metrics
from dsg.errors import UserError
from dsg.run_folder.folder import RunFolder

FIVE = ("--model.score_model.init_args.size", 5, "--data.init_args.image_size", 5, "--data.limit", 2)
SIZE = "and the model's are 5x5"
REASONS = {
    "ssim": f"ssim: wants pictures of at least 11x11 pixels, {SIZE}",
    "lpips_vgg": f"lpips_vgg: wants pictures of at least 16x16 pixels, {SIZE}",
    "lpips_alex": f"lpips_alex: wants pictures of at least 31x31 pixels, {SIZE}",
    "lpips_squeeze": f"lpips_squeeze: wants pictures of at least 17x17 pixels, {SIZE}",
}


def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def test_metrics_whose_window_is_larger_than_the_pictures_are_unavailable_and_the_others_go_on(
    evaluate, tmp_path, capsys
):
    options = (*FIVE, "--quality.lpips", "[vgg,alex,squeeze]")
    assert evaluate(*options) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if line.startswith("unavailable: ")] == [
        f"unavailable: {w}" for w in REASONS.values()
    ]
    found = metrics(tmp_path / "run")
    assert found["unavailable"] == REASONS
    assert found["metrics"]["psnr"]["n"] == 2
    assert "ssim" not in RunFolder(tmp_path / "run").rows()[0]
    (tmp_path / "run" / "metrics.json").unlink()
    assert evaluate(*options) == 0  # nothing is left to sample
    assert metrics(tmp_path / "run")["unavailable"] == REASONS
    with pytest.raises(UserError, match=r"has no ssim \(ssim: wants pictures of at least 11x11 .*optional_metrics"):
        require_metrics(read_results(tmp_path / "run"), "runs/small", ["psnr", "ssim"])


def test_the_diversity_that_is_made_of_an_unavailable_metric_is_so_too(evaluate, tmp_path):
    assert evaluate(*FIVE, "--data.samples_per_image", 2) == 0
    found = metrics(tmp_path / "run")
    assert found["unavailable"]["diversity_lpips_vgg"] == REASONS["lpips_vgg"]
    assert found["metrics"]["diversity_pixel"]["n"] == 2


def test_samples_that_are_compared_with_nothing_lack_no_metric_of_quality(evaluate, tmp_path):
    assert evaluate(*FIVE, "--model.task", "tasks.Generation", "--model.guidance", "dsg.guidance.Unguided") == 0
    assert metrics(tmp_path / "run")["unavailable"] == {}
