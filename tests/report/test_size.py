"""A page can be sent to somebody: under 5 MB of ten runs of 1000 images, whatever the images are."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from dsg.report.figures import distribution
from dsg.report.page import STRIPS
from dsg.report.picture import SMALLEST, picture
from dsg.report.read import read_runs
from dsg.report.side_by_side import ROOM
from dsg.report.trajectories import embedded, trajectories
from dsg.run_folder.trace_file import Curve, Trace

LIMIT = 5_000_000  # of everything
METRICS, RUNS = 12, 10


def test_the_parts_of_a_page_of_ten_runs_of_a_thousand_images_fit_into_it(make_run):
    """Bounds of the pictures hold by construction; one of the figures and the traces are made."""
    run = read_runs([make_run("run")])[0]
    rng = np.random.default_rng(0)
    runs = []
    for k in range(RUNS):
        values = {f"{i:04d}": [float(v)] for i, v in enumerate(rng.normal(20 + k, 3, 1000))}
        steps = rng.random(1000).tolist()
        curves = {
            name: Curve(name, steps, steps, steps, steps) for name in ("loss", "gradient_norm", "shell", "cosine")
        }
        results = replace(run.results, per_image=replace(run.results.per_image, samples={"psnr": values}))
        runs.append(replace(run, name=f"run {k}", results=results, trace=Trace(256, curves)))
    figure = len(distribution(runs, "psnr"))
    drawn = trajectories(runs)
    assert drawn is not None
    traces = len(embedded(drawn))
    assert figure < 80_000
    assert traces < 400_000
    assert ROOM + STRIPS + METRICS * figure + traces < LIMIT


def test_a_picture_is_made_smaller_until_it_has_room_and_exact_where_it_takes_little():
    noise = torch.randint(0, 256, (3, 256, 256), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    large, small = picture("sample", noise), picture("sample", noise, room=30_000)
    assert large.uri.startswith("data:image/webp")
    assert large.label == "sample"
    assert len(small.uri) < 30_000 < len(large.uri)
    assert small.label == "sample (shown at 128x128)"
    assert picture("sample", noise, room=0).label == f"sample (shown at {SMALLEST}x{SMALLEST})"
    assert picture("sample", noise[:, :64, :64], room=math.inf).uri.startswith("data:image/png")
