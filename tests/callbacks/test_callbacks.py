"""What TensorBoard is told, and that nobody computes what nobody reads."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dsg.process.trace import StepRecord


@pytest.fixture
def events(evaluate, tmp_path) -> EventAccumulator:
    assert evaluate("--diagnostics.images", 2, "--diagnostics.clean_estimates", 5) == 0
    accumulator = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0})
    return accumulator.Reload()


def steps(events: EventAccumulator, tag: str) -> list[int]:
    return [event.step for event in events.Scalars(tag)]


def test_the_trace_is_a_band_against_the_step(events):
    # the last step has no noise: DSG does not guide it, and it has no shell
    for measure in ("loss", "gradient_norm", "cosine", "shell_ratio"):
        values = {}
        for kind in ("mean", "p10", "p90"):
            tag = f"trace/{measure}/{kind}"
            assert steps(events, tag) == [0, 1, 2, 3] + [4] * (measure == "loss"), tag
            values[kind] = [event.value for event in events.Scalars(tag)]
        assert all(low <= high for low, high in zip(values["p10"], values["p90"], strict=True))
    # what DSG says of itself: every guided step is on the shell
    assert [event.value for event in events.Scalars("trace/shell_ratio/mean")] == pytest.approx([1.0] * 4, abs=1e-4)


@pytest.mark.parametrize(
    ("guidance", "tag"),
    [
        ("DPS", "gradient_norm"),
        ("LGDMC", "gradient_norm_smoothed"),
        ("MPGD", "gradient_norm_clean"),
        ("PiGDM", "gradient_norm_likelihood"),
    ],
)
def test_norms_of_different_gradients_stand_on_different_charts(evaluate, tmp_path, guidance, tag):
    assert evaluate("--model.guidance", f"dsg.guidance.{guidance}", "--data.limit", 1) == 0
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    norms = {name.split("/")[1] for name in events.Tags()["scalars"] if name.startswith("trace/gradient_norm")}
    assert norms == {tag}


def test_quality_timing_and_the_final_metrics_are_told(events, tmp_path):
    for name in ("metrics/psnr", "metrics/ssim", "timing/seconds_per_image", "timing/nfe_backward_per_image"):
        assert steps(events, name) == [2, 4, 6], name
    final = events.Scalars("metrics/psnr")[-1]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert final.value == pytest.approx(metrics["metrics"]["psnr"]["mean"], rel=1e-6)
    assert final.step == 6


def test_the_first_images_are_shown_with_their_clean_estimates_along_the_way(events):
    assert set(events.Tags()["images"]) == {"images/a", "images/b", "clean_estimate/a", "clean_estimate/b"}
    assert [event.step for event in events.Images("clean_estimate/a")] == [0, 1, 2, 3, 4]
    assert (events.Images("images/a")[0].width, events.Images("images/a")[0].height) == (64, 16)


def test_nothing_is_computed_of_a_step_when_nobody_subscribes(evaluate, monkeypatch):
    def never(self):
        raise AssertionError("computed for nobody")

    for name in ("shell_ratio", "gradient_norm", "cosine", "displacement"):
        monkeypatch.setattr(StepRecord, name, property(never))
    assert evaluate("--trainer.logger", "false") == 0


def test_psnr_in_the_table_is_that_of_the_pictures_in_the_folder(evaluate, tmp_path, image_folder):
    assert evaluate() == 0
    with (tmp_path / "run" / "per_image.csv").open(newline="") as handle:
        for row in csv.DictReader(handle):
            sample = np.asarray(Image.open(tmp_path / "run" / "samples" / f"{row['id']}.png"), dtype=np.float64)
            reference = np.asarray(Image.open(image_folder / f"{row['id']}.png"), dtype=np.float64)
            psnr = -10 * np.log10(np.mean(((sample - reference) / 255) ** 2))
            assert float(row["psnr"]) == pytest.approx(psnr, abs=1e-4)


def test_the_first_batch_is_the_warm_up_and_is_timed_apart(evaluate, tmp_path):
    assert evaluate() == 0
    with (tmp_path / "run" / "per_image.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["warm_up"] for row in rows] == ["True"] * 2 + ["False"] * 4
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["metrics"]["seconds"]["n"] == 4
    assert metrics["timing"]["warm_up_seconds"] == pytest.approx(float(rows[0]["seconds"]))
    assert metrics["timing"]["peak_memory_mib"] > 0


def test_measurements_are_saved_on_demand_with_what_was_drawn(evaluate, tmp_path):
    from safetensors.torch import load_file

    assert evaluate("--writer.save_measurements", "true") == 0
    saved = load_file(tmp_path / "run" / "measurements" / "more" / "e.safetensors")
    assert saved["y"].shape == (3, 16, 16)
    assert set(saved["mask"].unique().tolist()) == {0.0, 1.0}
    assert saved["y"][:, saved["mask"][0] == 0].abs().max() == 0
