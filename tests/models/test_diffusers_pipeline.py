"""Folders of pipelines are opened part by part, and what is missing or another's is said in one line."""

import json
import logging
import shutil

import pytest
import torch

from dsg.errors import UserError
from dsg.models.diffusers.component import load_component
from dsg.models.diffusers.pipeline import open_pipeline
from tests.models.test_diffusers import saved, tiny_unet

diffusers = pytest.importorskip("diffusers")

PARTS = {"unet": ("UNet2DModel",)}


def test_a_component_is_loaded_with_its_weights_and_told_by_its_files(tmp_path):
    unet = saved(tmp_path)
    component = open_pipeline(str(tmp_path), "DiffusersModel", PARTS).component("unet", ("UNet2DModel",))
    network, files = load_component(component, diffusers.UNet2DModel)
    torch.testing.assert_close(network.state_dict(), unet.state_dict())
    assert sorted(files) == ["unet/config.json", "unet/diffusion_pytorch_model.safetensors"]


def test_tables_that_no_file_holds_are_computed_and_draw_no_number(tmp_path):
    options = {"num_layers": 1, "num_attention_heads": 2, "attention_head_dim": 4, "sample_size": 8, "patch_size": 2}
    network = diffusers.DiTTransformer2DModel(**options)
    diffusers.DiTPipeline(network, None, diffusers.DDIMScheduler()).save_pretrained(tmp_path)
    pipeline = open_pipeline(str(tmp_path), "DiT", {"transformer": ("DiTTransformer2DModel",)})
    component = pipeline.component("transformer", ("DiTTransformer2DModel",))
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    loaded, _ = load_component(component, diffusers.DiTTransformer2DModel)
    assert torch.rand(1) == expected
    assert torch.equal(loaded.pos_embed.pos_embed, network.pos_embed.pos_embed)
    assert not any(tensor.is_meta for tensor in (*loaded.parameters(), *loaded.buffers()))


def test_a_variant_is_taken_of_the_parts_that_have_it(tmp_path, caplog):
    saved(tmp_path)
    pipeline = diffusers.LDMPipeline(diffusers.VQModel(norm_num_groups=1), tiny_unet(), diffusers.DDIMScheduler())
    pipeline.save_pretrained(tmp_path)
    pipeline.unet.save_pretrained(tmp_path / "unet", variant="fp16")
    parts = {"unet": ("UNet2DModel",), "vqvae": ("VQModel",)}
    with caplog.at_level(logging.WARNING):
        opened = open_pipeline(str(tmp_path), "LatentDiffusion", parts, variant="fp16")
    assert "vqvae: has no variant fp16 as other parts have" in caplog.text
    assert opened.component("unet", parts["unet"]).weights[0].name == "diffusion_pytorch_model.fp16.safetensors"
    with pytest.raises(UserError, match=r"variant fp8 of the weights is missing; it has .*fp16"):
        open_pipeline(str(tmp_path), "LatentDiffusion", parts, variant="fp8")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: shutil.rmtree(root / "unet"), "its part unet is missing; copy that folder"),
        (lambda root: (root / "unet" / "config.json").unlink(), r"unet/config.json: is missing"),
        (lambda root: (root / "scheduler" / "scheduler_config.json").unlink(), r"scheduler_config.json: is missing"),
        (lambda root: (root / "unet" / "diffusion_pytorch_model.safetensors").unlink(), "weights are missing"),
        (lambda root: (root / "model_index.json").unlink(), r"no pipeline of diffusers \(it has no model_index.json\)"),
        (lambda root: change(root, unet=["diffusers", "UNet1DModel"]), "its unet is a UNet1DModel, and only UNet2DMod"),
        (lambda root: change(root, unet=[None, None]), r"\(DDPMPipeline\) has no unet, but scheduler"),
        (lambda root: change(root, _class_name="DiTPipeline"), "a DiTPipeline, which dsg.models.diffusers.DiT reads"),
    ],
)
def test_what_is_missing_or_another_s_is_refused_in_one_line(tmp_path, spoil, words):
    saved(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError, match=words) as error:
        open_pipeline(str(tmp_path), "DiffusersModel", PARTS)
    assert "\n" not in str(error.value)


def test_the_folder_of_a_part_is_told_of_the_pipeline_above_it(tmp_path):
    saved(tmp_path)
    with pytest.raises(UserError, match=f"the folder above is one: give {tmp_path}$"):
        open_pipeline(str(tmp_path / "unet"), "LatentDiffusion", PARTS)


def change(root, **entries):
    file = root / "model_index.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))
