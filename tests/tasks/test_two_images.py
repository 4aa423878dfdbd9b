"""A task with two images runs through the command line, and what is missing is refused before the first sample."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from dsg.data.examples import Examples
from dsg.data.image_file import read_image
from dsg.diffusion.noise import NoiseStreams
from dsg.errors import UserError
from dsg.metrics.image import psnr
from dsg.types import Image as Images
from dsg.types import PerSample, per_sample_norm
from tasks import Generation, Measurement, Task
from tasks.operators import Operator


class MeanColour(Operator):
    """A(x) = the mean of each channel, (B,3,H,W) → (B,3)."""

    def forward(self, x: Images):
        return x.mean(dim=(2, 3))


class ColoursOf(Task):
    """The image in the colours of another: L(x̂) = ‖mean(x̂) − mean(style)‖; it should look like `target`."""

    needs = frozenset({"image", "style"})
    compared_with = "target"

    def measure(self, examples: Examples, streams: NoiseStreams) -> Measurement:
        return Measurement(MeanColour().forward(examples.tensor("style")), MeanColour())

    def loss(self, clean_estimate: Images, measurement: Measurement) -> PerSample:
        return per_sample_norm(measurement.y - measurement.operator.forward(clean_estimate))

    def picture(self, measurement: Measurement) -> Images:
        return measurement.y[:, :, None, None].expand(-1, -1, 4, 4)


class ReadsATextAsAnImage(ColoursOf):
    """Mistaken about the data."""

    compared_with = "prompt"


TASK = ("--model.task", f"{__name__}.ColoursOf", "--quality.lpips", "[]", "--data.limit", 2)


@pytest.fixture
def beside(image_folder: Path) -> Path:
    """`image_folder` with a style and a target of each image."""
    images = sorted(image_folder.rglob("*.png"))
    for folder in ("styles", "targets"):
        (image_folder / folder).mkdir()
    lines = []
    for i, path in enumerate(images):
        name = path.relative_to(image_folder).as_posix()
        line = {"file_name": name, "prompt": f"picture {i}"}
        for folder, colour in (("style", (250, 10 * i, 0)), ("target", (200, 100, 10 * i))):
            line[f"{folder}_file_name"] = f"{folder}s/{i}.png"
            Image.new("RGB", (16, 16), colour).save(image_folder / f"{folder}s/{i}.png")
        lines.append(json.dumps(line))
    (image_folder / "metadata.jsonl").write_text("\n".join(lines))
    return image_folder


def test_a_task_with_two_images_measures_the_second_and_is_compared_with_a_third(evaluate, beside, tmp_path):
    assert evaluate(*TASK, "--writer.save_measurements", "true") == 0
    run = tmp_path / "run"
    y = load_file(run / "measurements" / "a.safetensors")["y"]
    assert y.tolist() == pytest.approx([250 / 127.5 - 1, -1, -1], abs=1e-6)
    row = json.loads((run / "rows" / "rank0.jsonl").read_text().splitlines()[0])
    sample, target = (
        read_image(file, 16)[None] / 2 + 0.5 for file in (run / "samples/a.png", beside / "targets/0.png")
    )
    assert row["psnr"] == pytest.approx(psnr(sample, target).item(), abs=1e-4)
    assert len(list((run / "samples").rglob("*.png"))) == 2  # the images beside are not evaluated


def test_such_a_task_is_guided(evaluate, beside, tmp_path):
    assert evaluate(*TASK, into="guided") == 0
    assert evaluate(*TASK, "--model.guidance", "dsg.guidance.Unguided", into="unguided") == 0
    guided, unguided = (
        json.loads((tmp_path / name / "metrics.json").read_text())["metrics"]["loss"]["mean"]
        for name in ("guided", "unguided")
    )
    assert guided < 0.95 * unguided


def test_what_a_task_needs_and_the_data_lacks_is_refused_before_the_first_sample(evaluate, tmp_path, capsys):
    assert evaluate(*TASK) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "ColoursOf needs style, target of every example, and the data has image" in line
    assert not (tmp_path / "run").exists()


def test_a_text_where_an_image_is_needed_is_one_line(evaluate, beside, tmp_path, capsys):
    assert evaluate(*TASK, "--model.task", f"{__name__}.ReadsATextAsAnImage") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "images are asked of prompt" in line
    assert "prompt_file_name" in line
    assert not list((tmp_path / "run").rglob("*.png"))


def test_what_the_result_is_compared_with_has_its_shape():
    examples = Examples(None, {"target": torch.zeros(1, 3, 8, 8)})
    assert torch.equal(ColoursOf().truth(examples, (3, 8, 8)), examples["target"])
    with pytest.raises(UserError, match=r"\(3, 16, 16\) are compared with target, whose shape is \(3, 8, 8\)"):
        ColoursOf().truth(examples, (3, 16, 16))
    assert Generation().truth(examples, (3, 8, 8)) is None
