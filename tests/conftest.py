"""Shapes are checked in tests alone; one thread each, so that parallel tests do not fight for cores."""

from __future__ import annotations

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import settings as hypothesis_settings
from PIL import Image

from tests.contract.run import UnguidedSamples, references, sample

# a busy machine is no fault; the same examples each time, and others by --hypothesis-profile search
hypothesis_settings.register_profile("untimed", deadline=None, derandomize=True)
hypothesis_settings.register_profile("search", deadline=None, max_examples=1000)
hypothesis_settings.load_profile("untimed")
torch.set_num_threads(1)
if not torch.cuda.is_available():  # Triton reads it when it is imported: its interpreter computes a GPU's kernels
    os.environ.setdefault("TRITON_INTERPRET", "1")
signal.signal(signal.SIGINT, signal.default_int_handler)  # where it is ignored, children ignore it too


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Six smooth 16x16 pictures, two of them in a folder of their own."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    for i, name in enumerate(["a", "b", "c", "d", "more/e", "more/f"]):
        coarse = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((16, 16), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def settings(tmp_path: Path, image_folder: Path) -> Path:
    """A configuration that inpaints `image_folder` with a toy network in five steps; LPIPS's backbone is not there."""
    file = tmp_path / "settings.yaml"
    model = {
        "score_model": {"class_path": "tests.toy.Toy", "init_args": {"size": 16}},
        "task": {"class_path": "tasks.RandomInpainting"},
        "guidance": {"class_path": "dsg.guidance.DSG", "init_args": {"guidance_rate": 0.2}},
        "kernel": {"class_path": "dsg.diffusion.kernels.DDIM", "init_args": {"eta": 1.0}},
        "steps": 5,
    }
    images = {"root": str(image_folder), "image_size": 16, "batch_size": 2, "num_workers": 0}
    data = {"class_path": "dsg.data.folder.ImageFolder", "init_args": images}
    content = {
        "model": model,
        "data": data,
        "trainer": {"accelerator": "cpu", "devices": 1},
        "quality": {"lpips": ["vgg"], "backbones": str(tmp_path / "no backbones")},
    }
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture
def evaluate(settings: Path, tmp_path: Path) -> Callable[..., int]:
    """Run the command line in this process: `evaluate(*options, into="run")` → exit code."""
    from train_free_eval import main

    def run(*options: str, into: str = "run") -> int:
        try:
            return main(["predict", "--config", str(settings), "--run_dir", str(tmp_path / into), *map(str, options)])
        except SystemExit as end:
            return int(end.code or 0)

    return run


@pytest.fixture(scope="session")
def four(case):
    """Four images sampled with a case of the contract: samples, records, process."""
    return sample(case, references(4), "abcd")


@pytest.fixture(scope="session")
def unguided_samples():
    """What the same four are without guidance: `unguided_samples.of(case)`."""
    return UnguidedSamples()


@pytest.fixture(scope="session")
def last_alone(case):
    """The last of the four in a batch of its own."""
    return sample(case, references(4)[3:], "d")
