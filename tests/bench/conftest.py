"""A suite of two chapters, a method in a file of its own, and submissions that nobody sampled."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image, ImageOps

from dsg.bench.suite import digest, read_suite
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
TASKS = {"holes": "RandomInpainting", "noise": "Denoising"}


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
    dps = {"guidance": {"class_path": "dsg.guidance.DPS"}}
    methods = {"dps": {"model": dps, "tune": {"model.guidance.init_args.step_size": [0.5, 1.0]}}}
    tuning = {"metric": "psnr", "budget": {"candidates": 2}, "data": {"init_args": {"root": str(others)}}}
    for chapter, task in TASKS.items():
        comparison = {
            "tasks": {task.lower(): {"model": {"task": {"class_path": f"tasks.{task}"}}}},
            "methods": methods, "tuning": tuning, "metrics": ["psnr", "ssim"], "baseline": "dps",
        }  # fmt: skip
        (tmp_path / f"{chapter}.yaml").write_text(yaml.safe_dump(content | {"comparison": comparison}))
    chapters = {name: {"title": name.title(), "comparison": f"{name}.yaml"} for name in TASKS}
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump({"bench": {"name": "tiny", "version": 1, "chapters": chapters}}))
    return file


@pytest.fixture
def bench(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `bench` in this process, in a folder that has `my_fill.py`; no rows come with the project."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "my_fill.py").write_text(METHOD)
    (tmp_path / "shipped" / "tiny").mkdir(parents=True)
    monkeypatch.setattr("dsg.bench.command.ROWS", tmp_path / "shipped")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.syspath_prepend(tmp_path / "work")

    def run(*arguments: object) -> int:
        page = arguments[:1] == ("page",)
        try:
            return main(["bench", *map(str, arguments), *([] if page else ["--suite", str(suite)])])
        except SystemExit as end:
            return int(end.code or 0)

    return run


Submit = Callable[..., Path]


@pytest.fixture
def submit(suite: Path, tmp_path: Path) -> Submit:
    """Write a submission to the suite: `submit("alice", {"dps": 20.0})`, of methods with these PSNR on four pictures.

    `change` is called with what is written, before it is sealed.
    """

    def run(
        name: str, methods: Mapping[str, float], change: Callable[[dict[str, Any]], None] = lambda found: None
    ) -> Path:
        found: dict[str, Any] = {"format": 1, "suite": read_suite(str(suite)).sealed(), "made": [START], "cells": {}}
        found["methods"] = {method: _method(method, level) for method, level in methods.items()}
        found = json.loads(json.dumps(found))  # two results are not one object
        change(found)
        file = tmp_path / name / "submission.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**found, "seal": digest(found)}))
        return file.parent

    return run


START = {"code": {"version": "0.1.0", "git": "abc", "sources": "sha256:00"}, "versions": {"torch": "2.6"}}


def _method(name: str, level: float) -> dict[str, Any]:
    noise = np.random.default_rng(len(name)).normal(0, 0.1, 4)
    lines = [f"{key},0,{level + i + noise[i]:.4f},{0.5 + i / 10},3,3,0.01,ok" for i, key in enumerate("abcd")]
    rows = ["id,sample,psnr,ssim,nfe_forward,nfe_backward,seconds,status", *lines]
    result = {"chosen": "", "tried": 0, "noisy": True, "rows": rows, "overall": {}, "unavailable": {},
              "made": [0], "unrecorded": 0}  # fmt: skip
    results = {chapter: {task.lower(): {"default": result}} for chapter, task in TASKS.items()}
    return {"class_path": f"their_module.{name}", "about": "", "link": "", "states": {}, "results": results}
