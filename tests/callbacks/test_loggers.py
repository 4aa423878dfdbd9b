"""Any logger of Lightning has what TensorBoard has, as far as it can keep it."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import Logger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

OF_ITS_OWN = "per_image/"  # a distribution is a histogram in TensorBoard and three quartiles elsewhere


class Everything(Logger):
    """Keeps what it is told, pictures too, as Weights & Biases does."""

    met: Everything

    def __init__(self) -> None:
        super().__init__()
        self.scalars: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self.images: dict[str, list[int]] = defaultdict(list)
        self.hyperparams: dict[str, Any] = {}
        Everything.met = self

    name = version = "everything"

    def log_metrics(self, metrics, step=None):
        for tag, value in metrics.items():
            self.scalars[tag].append((step, value))

    def log_hyperparams(self, params, *args, **kwargs):
        self.hyperparams |= params

    def log_image(self, key, images, step=None, **kwargs):
        assert images[0].shape[2] == 3
        assert images[0].dtype == "uint8"
        self.images[key].append(step)


def of_tensorboard(folder: Path) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Scalars and pictures: at which steps each tag is."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()
    scalars = {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    return scalars, {tag: [event.step for event in events.Images(tag)] for tag in events.Tags()["images"]}


def test_a_logger_that_takes_pictures_has_the_scalars_pictures_and_settings_that_tensorboard_has(evaluate, tmp_path):
    assert evaluate("--trainer.logger", f"{__name__}.Everything") == 0
    scalars, images = of_tensorboard(tmp_path / "run")
    met = Everything.met
    told = {tag: [step for step, _ in values] for tag, values in met.scalars.items() if not tag.startswith(OF_ITS_OWN)}
    assert {tag: sorted(steps) for tag, steps in told.items()} == {tag: sorted(steps) for tag, steps in scalars.items()}
    assert met.images == images
    assert images
    assert (met.hyperparams["method"], met.hyperparams["config"]["model"]["steps"]) == ("DSG over DPS", 5)
    low, middle, high = (met.scalars[f"per_image/psnr/{quarter}"][0][1] for quarter in (25, 50, 75))
    assert low <= middle <= high


def test_csv_has_the_scalars_and_says_once_that_it_takes_no_pictures(evaluate, tmp_path, capsys):
    logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": str(tmp_path / "csv")}}
    assert evaluate("--trainer.logger", json.dumps([logger])) == 0
    assert capsys.readouterr().err.count("not logged: pictures, since CSVLogger takes none") == 1
    (file,) = (tmp_path / "csv").rglob("metrics.csv")
    with file.open(newline="") as handle:
        found = {tag for row in csv.DictReader(handle) for tag, value in row.items() if value}
    scalars, _ = of_tensorboard(tmp_path / "run")
    assert {tag for tag in found if not tag.startswith(OF_ITS_OWN)} == {*scalars, "step"}


def test_weights_and_biases_offline_has_the_scalars_and_pictures(evaluate, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    told: dict[str, list[str]] = defaultdict(list)
    given = {"class_path": "lightning.pytorch.loggers.WandbLogger", "init_args": {"save_dir": str(tmp_path / "wandb")}}
    plain = wandb.sdk.wandb_run.Run.log

    def log(self, data, *args, **kwargs):
        for tag, value in data.items():
            told[type(value[0]).__name__ if isinstance(value, list) else "scalar"].append(tag)
        return plain(self, data, *args, **kwargs)

    monkeypatch.setattr(wandb.sdk.wandb_run.Run, "log", log)
    assert evaluate("--trainer.logger", json.dumps([given])) == 0
    wandb.finish()
    scalars, images = of_tensorboard(tmp_path / "run")
    own = {tag for tag in told["scalar"] if tag.startswith((OF_ITS_OWN, "trainer/"))}
    assert set(told["scalar"]) - own == set(scalars)
    assert set(told["Image"]) == set(images)
    assert list((tmp_path / "wandb").rglob("*.wandb"))


def test_a_logger_of_tensorboard_takes_the_place_of_the_run_folders_own_and_false_is_none(evaluate, tmp_path):
    given = {
        "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
        "init_args": {"save_dir": str(tmp_path / "tb")},
    }
    assert evaluate("--trainer.logger", json.dumps(given)) == 0
    assert evaluate("--trainer.logger", "false", into="none") == 0
    assert list((tmp_path / "tb").rglob("events.*"))
    assert not [*(tmp_path / "run").rglob("events.*"), *(tmp_path / "none").rglob("events.*")]


def test_a_logger_that_is_not_installed_is_refused_in_one_line_before_there_is_a_run_folder(evaluate, tmp_path, capsys):
    assert evaluate("--trainer.logger", "lightning.pytorch.loggers.CometLogger") != 0
    error = capsys.readouterr().err.strip()
    assert "CometLogger: comet-ml" in error
    assert "is not installed: pip install 'comet-ml" in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()
