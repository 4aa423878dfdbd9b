"""Models whose images are no squares, or have one channel, run from the pictures on the disk to the report."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from train_free_eval import main


def options(channels: int, height: int, width: int) -> tuple[str, ...]:
    network = "--model.score_model.init_args"
    return (
        "--model.score_model", "dsg.models.network.NetworkModel", f"{network}.network", "tests.toy.Fading",
        f"{network}.shape", f"[{channels},{height},{width}]",
        "--data.image_size", f"[{height},{width}]", "--data.channels", str(channels),
        "--distribution.features", "[tests.metrics.test_distribution.ToyFeatures]",
    )  # fmt: skip


@pytest.fixture
def wide_folder(image_folder):
    """Two pictures of 40 x 30 pixels instead of the folder's own."""
    for name in ("a", "b", "c", "d", "more/e", "more/f"):
        (image_folder / f"{name}.png").unlink()
    for i, name in enumerate(("a", "b")):
        coarse = np.random.default_rng(i).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((40, 30), Image.Resampling.BICUBIC).save(image_folder / f"{name}.png")
    return image_folder


@pytest.mark.parametrize(
    ("channels", "height", "width", "task"),
    [(1, 16, 24, "RandomInpainting"), (3, 24, 16, "Denoising"), (1, 24, 16, "RandomProjection")],
)
def test_they_run_and_every_picture_has_their_shape(evaluate, wide_folder, tmp_path, channels, height, width, task):
    run, settings = tmp_path / "run", options(channels, height, width)
    command = (*settings, "--model.task", f"tasks.{task}", "--distribution.reference", str(wide_folder))
    assert evaluate(*command) == 0
    with Image.open(run / "samples" / "a.png") as sample:
        assert (sample.size, sample.mode) == ((width, height), "L" if channels == 1 else "RGB")
    found = json.loads((run / "metrics.json").read_text())
    assert {"psnr", "ssim", "fd_toy"} <= found["metrics"].keys()
    assert found["metrics"]["psnr"]["n"] == 2
    (warning,) = [text for text in found["warnings"] if "distribution.reference" in text]
    assert f"first picture is 40x30 and the samples are {width}x{height}: it is taken whole" in warning
    assert f"--image_size {height} {width}" in warning
    board = EventAccumulator(str(run)).Reload()
    assert {"images/a", "clean_estimate/a"} <= set(board.Tags()["images"])
    assert board.Images("clean_estimate/a")[0].height == height
    assert evaluate(*command) == 0  # its own settings are read back


def test_the_report_compares_grey_samples_with_their_truth(evaluate, wide_folder, tmp_path):
    assert evaluate(*options(1, 16, 24), "--data.limit", "1", "--distribution.features", "[]") == 0
    assert main(["report", str(tmp_path / "run")]) == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "no truth" not in page
    assert "truth" in page
