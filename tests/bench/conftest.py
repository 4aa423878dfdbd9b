"""A suite of two chapters that takes two seconds, and a method in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageOps

from train_free_eval import main

METHOD = '''\
"""A method of somebody's own."""

from dataclasses import dataclass

from dsg.errors import UserError
from dsg.guidance import LossGuidance
from tasks import RandomInpainting


@dataclass(frozen=True)
class Mine(LossGuidance):
    """x_prev = μ + σ z − ζ g, for missing pixels alone; after 2209.14687."""

    step_size: float = 0.5

    def check(self, kernel, task, score_model):
        if not isinstance(task, RandomInpainting):
            raise UserError("Mine <b>fills</b> missing pixels alone")

    def update(self, guided, process):
        return guided.unguided - self.step_size * guided.gradient
'''


@pytest.fixture
def suite(settings: Path, tmp_path: Path, image_folder: Path) -> Path:
    """Missing pixels, and noise, of four pictures each in three steps; tuned on two others."""
    others = tmp_path / "others"
    others.mkdir()
    for name in ("a", "b"):
        with Image.open(image_folder / f"{name}.png") as image:
            ImageOps.flip(image).save(others / f"tuning_{name}.png")
    content = yaml.safe_load(settings.read_text())
    del content["model"]["task"], content["model"]["guidance"]
    content["model"]["steps"], content["data"]["init_args"]["limit"], content["quality"] = 3, 4, {"lpips": []}
    methods = {
        "unguided": {"model": {"guidance": {"class_path": "dsg.guidance.Unguided"}}},
        "dps": {
            "model": {"guidance": {"class_path": "dsg.guidance.DPS"}},
            "tune": {"model.guidance.init_args.step_size": [0.5, 1.0]},
        },
    }
    tuning = {"metric": "psnr", "budget": {"candidates": 2}, "data": {"init_args": {"root": str(others)}}}
    for chapter, task in (("holes", "RandomInpainting"), ("noise", "Denoising")):
        comparison = {
            "tasks": {task.lower(): {"model": {"task": {"class_path": f"tasks.{task}"}}}},
            "methods": methods, "tuning": tuning, "metrics": ["psnr", "ssim"], "baseline": "dps",
        }  # fmt: skip
        (tmp_path / f"{chapter}.yaml").write_text(yaml.safe_dump(content | {"comparison": comparison}))
    chapters = {name: {"title": name.title(), "comparison": f"{name}.yaml"} for name in ("holes", "noise")}
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump({"bench": {"name": "tiny", "version": 1, "chapters": chapters}}))
    return file


@pytest.fixture
def bench(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `bench` in this process, in a folder that has `my_method.py`."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "my_method.py").write_text(METHOD)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.syspath_prepend(tmp_path / "work")

    def run(*arguments: object) -> int:
        page = arguments[:1] == ("page",)
        try:
            return main(["bench", *map(str, arguments), *([] if page else ["--suite", str(suite)])])
        except SystemExit as end:
            return int(end.code or 0)

    return run
