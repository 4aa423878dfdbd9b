"""Folders that diffusers writes are read as it reads them."""

import json

import pytest
import torch

from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.diffusers import DiffusersModel

diffusers = pytest.importorskip("diffusers")


def tiny_unet(**changes):
    torch.manual_seed(0)
    options = {
        "sample_size": 8,
        "block_out_channels": (8, 8),
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
    }
    return diffusers.UNet2DModel(**{**options, **changes}).eval()


def saved(folder, unet=None, scheduler=None, safe=True):
    unet, scheduler = unet or tiny_unet(), scheduler or diffusers.DDPMScheduler()
    diffusers.DDPMPipeline(unet, scheduler).save_pretrained(folder, safe_serialization=safe)
    return unet


def state(batch=2):
    return torch.randn(batch, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def level_of(model, t):
    return NoiseLevel.from_alpha_bar(float(t), float(model.schedule.alpha_bar[t]))


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
def test_a_pipeline_folder_answers_as_its_network_does(tmp_path, safe):
    unet, model = saved(tmp_path, safe=safe), DiffusersModel(str(tmp_path))
    assert model.shape == (3, 8, 8)
    assert model.num_classes is None
    assert not model.learns_variance
    expected = unet(state(), torch.tensor([7.0, 7.0])).sample
    torch.testing.assert_close(model(state(), level_of(model, 7)).epsilon, expected)


def test_a_bare_network_folder_with_the_scheduler_beside_it_is_read(tmp_path):
    unet = tiny_unet()
    unet.save_pretrained(tmp_path / "unet")
    diffusers.DDIMScheduler().save_pretrained(tmp_path)
    model = DiffusersModel(str(tmp_path / "unet"))
    torch.testing.assert_close(model(state(), level_of(model, 7)).epsilon, unet(state(), 7).sample)


def test_a_flat_folder_is_read(tmp_path):
    unet = tiny_unet()
    unet.save_pretrained(tmp_path)
    diffusers.DDPMScheduler().save_pretrained(tmp_path)
    model = DiffusersModel(str(tmp_path))
    torch.testing.assert_close(model(state(), level_of(model, 7)).epsilon, unet(state(), 7).sample)


@pytest.mark.parametrize("prediction_type", ["v_prediction", "sample"])
def test_other_prediction_types_give_the_scheduler_s_clean_estimate(tmp_path, prediction_type):
    scheduler = diffusers.DDPMScheduler(prediction_type=prediction_type, clip_sample=False)
    unet, model = saved(tmp_path, scheduler=scheduler), DiffusersModel(str(tmp_path))
    level = level_of(model, 400)
    epsilon = model(state(), level).epsilon
    clean = (state() - (1 - level.alpha_bar) ** 0.5 * epsilon) / level.alpha_bar**0.5
    expected = scheduler.step(unet(state(), 400).sample, 400, state()).pred_original_sample
    torch.testing.assert_close(clean, expected, atol=1e-4, rtol=1e-4)


def test_twice_the_channels_are_a_learned_variance(tmp_path):
    unet, model = saved(tmp_path, tiny_unet(out_channels=6)), DiffusersModel(str(tmp_path))
    output = model(state(), level_of(model, 7))
    assert model.learns_variance
    torch.testing.assert_close(torch.cat([output.epsilon, output.variance_range], dim=1), unet(state(), 7).sample)


def test_classes_and_the_null_class_reach_the_network(tmp_path):
    unet = saved(tmp_path, tiny_unet(num_class_embeds=5))
    model, dropped = DiffusersModel(str(tmp_path)), DiffusersModel(str(tmp_path), null_class=4)
    assert (model.num_classes, dropped.num_classes) == (5, 4)
    level, labels = level_of(model, 7), torch.tensor([1, 3])
    torch.testing.assert_close(model(state(), level, ClassLabels(labels)).epsilon, unet(state(), 7, labels).sample)
    torch.testing.assert_close(dropped(state(), level).epsilon, unet(state(), 7, torch.tensor([4, 4])).sample)
    with pytest.raises(UserError, match="needs class labels"):
        model(state(), level)


def test_attention_names_of_old_checkpoints_are_understood(tmp_path):
    unet = saved(tmp_path, safe=False)
    file = tmp_path / "unet" / "diffusion_pytorch_model.bin"
    renamed = {}
    for name, tensor in torch.load(file, weights_only=True).items():
        for new, old in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
            name = name.replace(f".{new}.", f".{old}.")
        renamed[name] = tensor
    torch.save(renamed, file)
    model = DiffusersModel(str(tmp_path))
    torch.testing.assert_close(model(state(), level_of(model, 7)).epsilon, unet(state(), 7).sample)


def test_a_missing_folder_is_refused():
    with pytest.raises(UserError, match="no such folder"):
        DiffusersModel("/nowhere/at/all")


def test_a_hub_name_that_cannot_be_fetched_is_a_user_error(monkeypatch):
    import huggingface_hub

    def offline(*args, **kwargs):
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UserError, match=r"google/ddpm-celebahq-256.*no route to the hub"):
        DiffusersModel("google/ddpm-celebahq-256")


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("unet/config.json", "configuration"),
        ("scheduler/scheduler_config.json", "scheduler"),
    ],
)
def test_a_missing_file_is_named_and_nothing_is_made_up(tmp_path, file, what):
    saved(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(UserError, match=f"{what}.* is missing; looked for .*{file.split('/')[1]}"):
        DiffusersModel(str(tmp_path))


@pytest.mark.parametrize(
    ("file", "change", "word"),
    [
        ("unet/config.json", {"block_out_channels": [8, 16]}, "does not fit"),
        ("unet/config.json", {"sample_size": None}, "sample_size"),
        ("model_index.json", {"vae": ["diffusers", "AutoencoderKL"]}, "latent"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(tmp_path, file, change, word):
    saved(tmp_path)
    content = json.loads((tmp_path / file).read_text())
    (tmp_path / file).write_text(json.dumps({**content, **change}))
    with pytest.raises(UserError, match=word):
        DiffusersModel(str(tmp_path))
