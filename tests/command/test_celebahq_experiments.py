"""DSG on CelebA-HQ with the published settings starts, with stand-in weights of the published names and shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tasks.networks.arcface import IRSE
from tasks.networks.bisenet import FaceParsing
from train_free_eval import CheckCLI

EXPERIMENTS = Path(__file__).parents[2] / "configs" / "experiment"
pytestmark = [
    pytest.mark.slow,  # networks of 114 M and 44 M weights
    pytest.mark.filterwarnings("ignore:.*LightningCLI's args.*", "ignore:.*deprecated in v4.49.*"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A score model as diffusers saves that of CelebA-HQ, the networks of the losses, and two faces."""
    diffusers = pytest.importorskip("diffusers")
    root = tmp_path_factory.mktemp("celebahq")
    down, up = ["DownBlock2D"] * 6, ["UpBlock2D"] * 6
    down[4], up[1] = "AttnDownBlock2D", "AttnUpBlock2D"
    unet = diffusers.UNet2DModel(
        sample_size=256, block_out_channels=(128, 128, 256, 256, 512, 512), down_block_types=down, up_block_types=up,
        layers_per_block=2, norm_eps=1e-6, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1,
    )  # fmt: skip
    unet.save_pretrained(root / "model")
    diffusers.DDPMScheduler().save_pretrained(root / "model")
    for name, network in {"model_ir_se50.pth": IRSE(), "79999_iter.pth": FaceParsing()}.items():
        torch.save(network.state_dict(), root / name)
    (root / "faces").mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (256, 256, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "faces" / f"{i}.png")
    return root


@pytest.mark.parametrize(
    ("name", "weights"),
    [("celebahq_identity_dsg", "model_ir_se50.pth"), ("celebahq_segmentation_dsg", "79999_iter.pth")],
)
def test_an_experiment_goes_up_to_the_first_sample_and_refuses_the_other_network_s_weights(
    name, weights, files, tmp_path
):
    options = ["--config", EXPERIMENTS / f"{name}.yaml", "--data.root", files / "faces", "--data.num_workers", 0]
    options += ["--model.score_model.path", files / "model", "--run_dir", tmp_path / "run"]
    options += ["--trainer.accelerator", "cpu", "--model.task.network.checkpoint"]
    run = ["predict", *map(str, options)]
    built = {}
    assert CheckCLI([*run, str(files / weights)], built).datamodule.keys()
    save_file({"head.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(Exception, match=r"missing: .*unknown: head.weight \(2,\)"):
        CheckCLI([*run, str(tmp_path / "other.safetensors")], built)
