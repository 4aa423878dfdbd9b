"""Run folders that were never sampled, and a browser to look at their pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from dsg.metrics.summary import summarise
from dsg.run_folder.folder import RunFolder
from tests.report.browser import Browser, find_browser
from tests.report.pages import IDS


@pytest.fixture
def make_run(settings: Path, image_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write a run folder whose samples are the truth with noise of a `level`; `changes` go into its rows by id."""

    def make(name: str, level: float = 10.0, ids: list[str] = IDS, finished: bool = True, **changes: dict) -> Path:
        folder = RunFolder(tmp_path / name)
        content = yaml.safe_load(settings.read_text())
        content["model"] |= {"seed": 0, "combiner": None}
        content["model"]["guidance"]["init_args"]["guidance_rate"] = level / 100
        folder.open(content)
        rows = []
        for i, image_id in enumerate(ids):
            truth = np.asarray(Image.open(image_folder / f"{image_id}.png")).astype(float)
            noise = np.random.default_rng(i).normal(size=truth.shape) * level * (1 + i / 4)
            sample = (truth + noise).round().clip(0, 255).astype(np.uint8)
            for kind in ("samples", "measurements"):
                path = folder.picture_path(kind, image_id, 0)
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(sample).save(path)
            row = {"id": image_id, "sample": 0, "loss": 0.0, "nfe_forward": 5, "nfe_backward": 4, "seconds": level,
                   "warm_up": i == 0, "psnr": -20 * np.log10(np.sqrt(((sample - truth) ** 2).mean()) / 255),
                   "status": "ok"}  # fmt: skip
            rows.append(row | changes.get(image_id, {}))
        folder.append(rows)
        if finished:
            folder.finish(summarise(rows) | {"unavailable": {"lpips_vgg": "lpips_vgg: wants a file"}})
        return folder.path

    return make


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    executable = find_browser()
    if executable is None:
        pytest.skip("no chromium or chrome on this machine")
    opened = Browser(executable, tmp_path / "profile")
    yield opened
    opened.close()
