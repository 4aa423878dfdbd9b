"""Whether samples are pictures, vectors or something else is said by the model alone."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dsg.data.base import EvaluationData
from dsg.data.examples import Example
from dsg.data.media import Medium, Pictures, Vectors, medium_of
from dsg.models.mixture import GaussianMixture

CLIP = (5, 3, 8, 8)


class Video(Medium):
    """(T,3,H,W) frames in [−1, 1], as NumPy files; the middle frame shows what they are."""

    suffix = ".npy"

    def encode(self, samples):
        content = io.BytesIO()
        np.save(content, samples[0].cpu().numpy())
        return content.getvalue()

    def preview(self, states):
        return states[:, states.shape[1] // 2]

    def preview_measurement(self, task, measurement):
        return self.preview(measurement.y)


class Clips(GaussianMixture):
    """Standard normal clips."""

    medium = Video()

    def __init__(self) -> None:
        super().__init__([1.0], torch.zeros(1, *CLIP), 1.0)


class Points(GaussianMixture):
    """The standard normal distribution of the plane."""

    def __init__(self) -> None:
        super().__init__([1.0], torch.zeros(1, 2), 1.0)


class Draws(EvaluationData):
    """Clean states of any shape, drawn by their names."""

    def __init__(self, shape: list[int], samples_per_image: int = 1, batch_size: int = 2) -> None:
        super().__init__(samples_per_image=samples_per_image, batch_size=batch_size)
        self.image_shape = tuple(shape)

    def image_ids(self) -> Sequence[str]:
        return ["p", "q"]

    def load(self, image_id: str) -> Example:
        generator = torch.Generator().manual_seed(ord(image_id))
        return Example(torch.randn(self.image_shape, generator=generator).clamp(-1, 1))


def options(model: str, shape: Sequence[int], samples: int = 1) -> list[str]:
    data = ["--data", f"{__name__}.Draws", "--data.shape", str(list(shape)), "--data.samples_per_image", str(samples)]
    parts = ["--model.score_model", f"{__name__}.{model}", "--model.task", "tasks.Denoising", "--model.steps", "3"]
    return [*data, *parts, "--model.clip_denoised", "false"]


def files(run: Path) -> dict[str, bytes]:
    found = [*run.glob("samples/*"), *run.glob("measurements/*")]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((3, 8, 8), Pictures), ((1, 8, 8), Pictures), ((2, 8, 8), Vectors), ((8,), Vectors), (CLIP, Vectors)],
)
def test_where_nobody_says_another_the_shape_tells_the_medium(shape, kind):
    assert type(medium_of(shape)) is kind
    assert type(GaussianMixture.standard_normal(shape).medium) is kind


def test_a_medium_of_ones_own_runs_through_the_command_line_and_continues(evaluate, tmp_path):
    run = tmp_path / "run"
    assert evaluate(*options("Clips", CLIP)) == 0
    before = files(run)
    assert set(before) == {"samples/p.npy", "samples/q.npy", "measurements/p.png", "measurements/q.png"}
    assert np.load(run / "samples" / "p.npy").shape == CLIP
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    assert metrics["loss"]["n"] == 2
    assert "psnr" not in metrics
    (events,) = run.glob("events.*")
    found = EventAccumulator(str(events), {"images": 0}).Reload()
    strip = found.Images("images/p")[0]
    assert (strip.width, strip.height) == (4 * 8, 8)  # the middle frames of truth, measurement, sample and error
    (run / "samples" / "q.npy").unlink()
    assert evaluate(*options("Clips", CLIP)) == 0
    assert files(run) == before


def test_vectors_of_any_data_are_written_a_file_a_sample_and_one_that_was_taken_away_is_made_again(evaluate, tmp_path):
    run = tmp_path / "run"
    assert evaluate(*options("Points", (2,), samples=3)) == 0
    before = files(run)
    assert set(before) == {f"samples/{i}{k}.safetensors" for i in "pq" for k in ("", ".1", ".2")}
    assert load_file(run / "samples" / "p.1.safetensors")["samples"].shape == (1, 2)
    (run / "samples" / "p.1.safetensors").unlink()
    assert evaluate(*options("Points", (2,), samples=3)) == 0
    assert files(run).keys() == before.keys()
    assert files(run)["samples/p.2.safetensors"] == before["samples/p.2.safetensors"]


def test_the_samples_of_a_whole_problem_share_a_file_where_the_medium_says_so():
    assert Vectors().files("p", 7, whole_problem=True) == ["samples/p.safetensors"]
    assert Vectors().files("p", 7) == ["samples/p.7.safetensors"]
    assert Pictures().files("p", 0, whole_problem=True) == ["samples/p.png", "measurements/p.png"]
    assert Pictures().files("p", 7, whole_problem=True) == ["samples/p.7.png"]


def test_a_picture_is_kept_as_eight_bits_and_a_vector_as_it_is():
    x = torch.linspace(-1.2, 1.2, 12).reshape(1, 3, 2, 2)
    assert torch.equal(Vectors().as_kept(x), x)
    kept = Pictures().as_kept(x)
    assert kept.abs().max() == 1
    assert torch.equal(Pictures().as_kept(kept), kept)
    assert (kept - x.clamp(-1, 1)).abs().max() <= 1 / 255
