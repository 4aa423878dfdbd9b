"""Lightning's Trainer without the command line, as in a notebook, whose processes are copies of its own."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

import callbacks
from dsg.data.folder import ImageFolder
from dsg.diffusion.kernels import DDIM
from dsg.guidance import DSG
from dsg.module import EvaluationDataModule, GuidedDiffusion
from dsg.run_folder.folder import RunFolder
from tasks import RandomInpainting
from tests.toy import Toy

ALWAYS = {**callbacks.FIRST, **callbacks.LAST}


@pytest.fixture(autouse=True)
def _no_trace_of_the_meeting(monkeypatch):
    """Lightning leaves the port in the environment, where the next run of this process would find it."""
    for name in ("MASTER_PORT", "MASTER_ADDR"):
        monkeypatch.setenv(name, "to be put back")
        monkeypatch.delenv(name)


def evaluate(images: Path, run: Path, **how) -> tuple[list[dict], dict[str, bytes]]:
    """Rows and pictures."""
    watching = [callbacks.Watch(), callbacks.SamplingProgress(), callbacks.Quality([]), callbacks.RunFolderWriter()]
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False, inference_mode=False,
        default_root_dir=run, callbacks=watching, **how,
    )  # fmt: skip
    module = GuidedDiffusion(Toy(16), RandomInpainting(), DSG(guidance_rate=0.2), DDIM(eta=1.0), steps=3)
    data = EvaluationDataModule(ImageFolder(str(images), 16, limit=5, num_workers=0))
    trainer.predict(module, datamodule=data, return_predictions=False)
    assert (run / "metrics.json").exists()  # by the process that is the first of them
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "warm_up")} for row in RunFolder(run).rows()]
    return rows, {path.name: path.read_bytes() for path in run.rglob("*.png")}


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param("ddp_notebook", marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")),
        pytest.param("ddp_spawn", marks=pytest.mark.slow),
    ],
)
def test_two_copies_of_a_process_give_the_results_of_one(image_folder, tmp_path, strategy):
    alone = evaluate(image_folder, tmp_path / "alone", devices=1)
    assert len(alone[0]) == 5
    assert evaluate(image_folder, tmp_path / "two", devices=2, strategy=strategy) == alone
    assert len(list((tmp_path / "two" / "rows").glob("rank*.jsonl"))) == 2


@pytest.mark.parametrize("name", ALWAYS)
def test_every_callback_can_be_sent_to_another_process_before_a_run(name):
    assert type(pickle.loads(pickle.dumps(ALWAYS[name]()))) is ALWAYS[name]
