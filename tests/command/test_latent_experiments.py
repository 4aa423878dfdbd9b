"""The experiments that ask networks about the pictures of latents run, with tiny stand-ins for published weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks.networks.lraspp import untrained
from tests.models import tiny_pipelines
from tests.tasks.networks import tiny_clip
from train_free_eval import CheckCLI

diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore:.*LightningCLI's args.*", "ignore:.*deprecated in v4.49.*")
SMALL = json.dumps([{"class_path": "tasks.features.Resize", "init_args": {"size": 64}}])  # of 520² it takes seconds
EXPERIMENTS = Path(__file__).parents[2] / "configs" / "experiment"


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A pipeline, a CLIP, a segmentation network, and a folder of two images with a style each."""
    root = tmp_path_factory.mktemp("stand_ins")
    table = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False}
    tiny_pipelines.stable_diffusion(root / "pipeline", diffusers.DDIMScheduler(**table, steps_offset=1))
    tiny_clip.save(root / "clip")
    torch.save(untrained().state_dict(), root / "lraspp.pth")
    lines = []
    for name, colour in {"a": (200, 40, 40), "b": (30, 60, 220), "styles/x": (10, 200, 90)}.items():
        path = root / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), colour).save(path)
        lines.append({"file_name": f"{name}.png", "style_file_name": "styles/x.png"})
    (root / "images" / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines[:2])))
    return root


def checked(name, places, tmp_path, *options):
    """The module and the data of an experiment, up to the first sample."""
    network = "lraspp.pth" if "segmentation" in name else "clip"
    at = {
        "model.score_model.path": places / "pipeline",
        f"model.task.network.{'checkpoint' if network.endswith('.pth') else 'path'}": places / network,
        "data.root": places / "images",
        "data.image_size": 16,
        "data.num_workers": 0,
        "run_dir": tmp_path / "run",
        "trainer.accelerator": "cpu",
    }
    words = ["--model.score_model.prompt", "a red door"] if "text" in name else []
    arguments = [text for key, value in at.items() for text in (f"--{key}", str(value))]
    cli = CheckCLI(["predict", "--config", str(EXPERIMENTS / f"{name}.yaml"), *arguments, *words, *options], {})
    return cli.model, cli.datamodule


@pytest.mark.parametrize(
    ("name", "options", "forwards", "backwards"),
    [
        ("stable_diffusion_style_dsg", {"steps": 10}, 10 + 2 * 3, 3 * 3 + 1),
        ("stable_diffusion_text_style_dsg", {"steps": 10}, 2 * (10 + 2 * 3), 3 * 3 + 1),
        (
            "stable_diffusion_text_segmentation_dsg",
            {"steps": 3, "guidance.base.recurrence": 2, "task.network.prepare": SMALL},
            2 * (2 * 2 + 1),
            2 * 2,
        ),
    ],
)
def test_an_experiment_runs_with_weights_of_the_right_names_and_fewer_steps(
    name, options, forwards, backwards, places, tmp_path
):
    fewer = [text for key, value in options.items() for text in (f"--model.{key}", str(value))]
    module, data = checked(name, places, tmp_path, *fewer)
    process = module.sampler.begin(Examples.of([data.load("b")]), NoiseStreams([SampleKey(0, "b")]))
    records = list(module.sampler.run(process))
    assert records[-1].x_prev.isfinite().all()
    assert (process.forwards, process.backwards, process.decoder_backwards) == (forwards, backwards, backwards)


def test_a_reference_that_the_folder_does_not_have_is_one_line(places, tmp_path):
    shutil.copytree(places / "images", tmp_path / "images")
    (tmp_path / "images" / "metadata.jsonl").unlink()
    with pytest.raises(UserError, match="Style needs style of every example"):
        checked("stable_diffusion_style_dsg", places, tmp_path, "--data.root", str(tmp_path / "images"))
