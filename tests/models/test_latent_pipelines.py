"""Pipelines of latents, saved by diffusers, are sampled here as by their own `__call__`."""

import json
import logging

import pytest
import torch

import dsg.models.diffusers
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.spacing import Leading, Trailing
from dsg.errors import DoesNotFit, UserError
from dsg.guidance import DDNM
from dsg.models.diffusers import DiffusersModel, DiT, LatentDiffusion
from dsg.models.diffusers.readers import READERS
from dsg.models.latent import Decoding
from dsg.sampling import Sampler
from tests.contract import test_contract as contract
from tests.contract.axes import COMBINERS, KERNELS, TASKS
from tests.contract.design import Case
from tests.contract.methods import METHODS
from tests.contract.run import UnguidedSamples, references, sample
from tests.contract.toys import CLASSES
from tests.models.pipelines import pictures, sampled_by, sampled_here
from tests.models.test_diffusers import tiny_unet
from tests.models.test_diffusers_autoencoder import tiny_kl, tiny_vq

diffusers = pytest.importorskip("diffusers")

STEPS = 5  # of a thousand: where they do not divide it, diffusers' DDIM steps to other levels than it visits next


def assert_close(first, second):
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def scheduler(**changes):
    options = {"beta_schedule": "scaled_linear", "beta_start": 0.0015, "beta_end": 0.0195, "clip_sample": False}
    return diffusers.DDIMScheduler(**{**options, **changes})


def saved_ldm(folder, vq=True, unet=None, **of_the_scheduler):
    channels = 3 if vq else 4
    unet = unet or tiny_unet(in_channels=channels, out_channels=channels)
    pipeline = diffusers.LDMPipeline(
        tiny_vq() if vq else tiny_kl(scaling_factor=0.3), unet, scheduler(**of_the_scheduler)
    )
    pipeline.save_pretrained(folder)
    return pipeline


def tiny_dit(**changes):
    torch.manual_seed(0)
    options = {
        "num_layers": 2, "num_attention_heads": 2, "attention_head_dim": 8, "sample_size": 4, "patch_size": 2,
        "in_channels": 4, "out_channels": 8, "norm_num_groups": 1,
    }  # fmt: skip
    network = diffusers.DiTTransformer2DModel(**{**options, **changes}).eval()
    for parameter in network.parameters():
        parameter.data.normal_(0.0, 0.2)
    return network


def saved_dit(folder, network=None, **of_the_scheduler):
    names = {"0": "tench, Tinca tinca", "1": "goldfish"}
    pipeline = diffusers.DiTPipeline(
        network or tiny_dit(), tiny_kl(), scheduler(beta_schedule="linear", **of_the_scheduler), names
    )
    pipeline.save_pretrained(folder)
    return pipeline


@pytest.mark.parametrize(
    ("vq", "options", "spacing"),
    [
        (True, {}, Leading()),
        (True, {"steps_offset": 1, "prediction_type": "v_prediction"}, Leading(offset=1)),
        (False, {"timestep_spacing": "trailing"}, Trailing()),
        (False, {"prediction_type": "sample"}, Leading()),
        (
            False,
            {"timestep_spacing": "trailing", "prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
            Trailing(),
        ),
    ],
    ids=["vq", "vq, v, offset", "kl, trailing", "kl, sample", "kl, v, from noise alone"],
)
def test_latent_diffusion_is_sampled_as_its_pipeline_samples(tmp_path, vq, options, spacing):
    latents, expected = sampled_by(
        saved_ldm(tmp_path, vq, **options), "vqvae", batch_size=2, num_inference_steps=STEPS, eta=0.0
    )
    model = LatentDiffusion(str(tmp_path))
    record = sampled_here(model, STEPS, spacing)
    assert_close(record.x_prev, latents)
    assert_close(pictures(model, record.x_prev), expected)
    assert expected.std() > 0.02


def test_a_pipeline_that_ends_at_the_first_level_is_sampled_likewise_by_a_spacing_that_does_not_end_clean(tmp_path):
    """set_alpha_to_one: false, as in published latent models."""
    pipeline = saved_ldm(tmp_path, set_alpha_to_one=False, steps_offset=1)
    latents, _ = sampled_by(pipeline, "vqvae", batch_size=2, num_inference_steps=STEPS, eta=0.0)
    model = LatentDiffusion(str(tmp_path))
    assert_close(sampled_here(model, STEPS, Leading(offset=1, ends_clean=False)).x_prev, latents)
    clean = sampled_here(model, STEPS, Leading(offset=1))
    assert torch.equal(clean.x_prev, clean.prediction.clean_estimate)
    assert (clean.x_prev - latents).abs().max() > 1e-3


@pytest.mark.parametrize("learned", [True, False], ids=["learned variance", "none"])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_diffusion_transformer_is_sampled_as_its_pipeline_samples(tmp_path, learned, scale):
    pipeline = saved_dit(tmp_path, None if learned else tiny_dit(out_channels=4))
    latents, expected = sampled_by(
        pipeline, "vae", class_labels=[7, 321], guidance_scale=scale, num_inference_steps=STEPS
    )
    model = DiT(str(tmp_path))
    assert (model.num_classes, model.null_class, model.learns_variance) == (1000, 1000, learned)
    record = sampled_here(model, STEPS, Leading(), [7, 321], scale)
    assert_close(record.x_prev, latents)
    assert_close(pictures(model, record.x_prev), expected)
    assert (latents[0] - latents[1]).abs().max() > 0.1


def test_a_transformer_of_the_name_under_which_it_was_published_is_read(tmp_path):
    network = saved_dit(tmp_path).transformer
    old_keys = {"_class_name": "Transformer2DModel", "only_cross_attention": False, "cross_attention_dim": None}
    rewrite(tmp_path / "transformer" / "config.json", **old_keys)
    rewrite(tmp_path / "model_index.json", transformer=["diffusers", "Transformer2DModel"])
    model, x = DiT(str(tmp_path)), torch.randn(1, 4, 4, 4)
    output = network(x, torch.tensor([9.0]), torch.tensor([1000])).sample
    prediction = model(x, NoiseLevel.from_alpha_bar(9.0, 0.9))
    torch.testing.assert_close(prediction.epsilon, output[:, :4])
    torch.testing.assert_close(prediction.variance_range, output[:, 4:])


def test_a_loss_of_the_picture_reaches_the_noise_through_both_networks(tmp_path):
    saved_ldm(tmp_path)
    model = LatentDiffusion(str(tmp_path), decoding=Decoding(sliced=True, checkpointed=True)).to(torch.bfloat16)
    x = torch.randn(2, *model.shape, requires_grad=True)
    loss = model.decode(model(x, model.schedule.level(500)).clean_estimate).square().flatten(1).sum(1)
    (gradient,) = torch.autograd.grad(loss.sum(), x)
    assert gradient.isfinite().all()
    assert (gradient.flatten(1).norm(dim=1) > 0).all()


def test_guided_latents_keep_the_laws_of_the_contract(tmp_path):
    saved_dit(tmp_path, tiny_dit(num_embeds_ada_norm=CLASSES, num_layers=1))
    case = Case(
        DiT(str(tmp_path)), TASKS["random inpainting"], METHODS["dsg"], KERNELS["ddpm, learned variance"],
        COMBINERS["cfg"],
    )  # fmt: skip
    four = sample(case, references(4), "abcd")
    alone = sample(case, references(4)[3:], "d")
    contract.test_an_image_in_a_batch_of_four_is_what_it_is_alone(case, four, alone)
    contract.test_the_network_is_evaluated_as_often_as_method_kernel_and_combiner_declare(case, four)
    contract.test_zero_strength_is_the_unguided_sampler(case, UnguidedSamples())
    process = four[2]
    assert (process.decoder_forwards, process.decoder_backwards) == (process.backwards, process.backwards)


def test_a_method_that_needs_the_pseudo_inverse_in_the_latents_is_refused(tmp_path):
    saved_dit(tmp_path)
    with pytest.raises(DoesNotFit, match="DDNM"):
        Sampler(DiT(str(tmp_path)), TASKS["random inpainting"], DDNM())


def test_the_files_of_every_part_are_told(tmp_path):
    saved_dit(tmp_path)
    model = DiT(str(tmp_path))
    told = {*model.score_model.weights, *model.autoencoder.weights}
    weights = "diffusion_pytorch_model.safetensors"
    assert told == {
        "transformer/config.json", f"transformer/{weights}", "scheduler/scheduler_config.json", "vae/config.json",
        f"vae/{weights}",
    }  # fmt: skip


def test_a_pipeline_of_another_name_is_read_by_its_parts(tmp_path):
    unet = saved_ldm(tmp_path).unet
    (tmp_path / "vqvae").rename(tmp_path / "vae")
    rewrite(tmp_path / "model_index.json", _class_name="MyPipeline", vae=["diffusers", "VQModel"], vqvae=[None, None])
    model, x = LatentDiffusion(str(tmp_path)), torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(model(x, model.schedule.level(9)).epsilon, unet(x, 9).sample)


def test_clipping_of_a_scheduler_is_not_followed_and_said(tmp_path, caplog):
    saved_ldm(tmp_path, clip_sample=True)
    with caplog.at_level(logging.WARNING):
        assert LatentDiffusion(str(tmp_path)).clean_range is None
    assert "says clip_sample, and latents are clamped nowhere" in caplog.text


def test_every_reader_is_a_model_of_this_folder():
    assert all(hasattr(dsg.models.diffusers, reader) for reader in READERS.values())


def rewrite(file, **entries):
    """Other entries in a JSON file; None takes one out."""
    content = {**json.loads(file.read_text()), **entries}
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def without_scaling(folder):
    rewrite(folder / "vqvae" / "config.json", scaling_factor=None)


@pytest.mark.parametrize(
    ("model", "spoil", "words"),
    [
        (LatentDiffusion, without_scaling, r"states no scaling_factor; set scaling_factor .* 1\.0 for the VQ models"),
        (DiffusersModel, lambda f: None, "is a LDMPipeline, which dsg.models.diffusers.LatentDiffusion reads"),
        (DiT, lambda f: None, "is a LDMPipeline, which dsg.models.diffusers.LatentDiffusion reads, and not DiT"),
        (
            DiffusersModel,
            lambda f: rewrite(f / "model_index.json", _class_name="MyPipeline"),
            "a latent pipeline .*DiffusersModel reads pixel-space ones; of latent ones .* LDMPipeline",
        ),
        (
            LatentDiffusion,
            lambda f: rewrite(f / "model_index.json", vqvae=None),
            r"model_index.json \(LDMPipeline\) has neither vqvae nor vae",
        ),
        (
            LatentDiffusion,
            lambda f: rewrite(f / "unet" / "config.json", block_out_channels=[8, 16]),
            "does not fit the network's options: .* of another shape",
        ),
        (
            LatentDiffusion,
            lambda f: rewrite(f / "vqvae" / "config.json", block_out_channels=[8, 8]),
            "does not fit the network's options: .* of another shape",
        ),
        (
            LatentDiffusion,
            lambda f: tiny_vq(latent_channels=4).save_pretrained(f / "vqvae"),
            "the score model's states are .3, 8, 8. and the autoencoder's latents .4, 8, 8.",
        ),
        (
            LatentDiffusion,
            lambda f: rewrite(f / "vqvae" / "config.json", norm_num_groups=3),
            "vqvae/config.json: diffusers cannot build this network",
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path, model, spoil, words):
    saved_ldm(tmp_path)
    spoil(tmp_path)
    with pytest.raises(UserError, match=words) as error:
        model(str(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sample_size": 5}, r"cannot take latents of 4x5x5|makes .*correct out_channels, sample_size or patch_size"),
        ({"out_channels": 6}, "the network makes 6x4x4; correct out_channels"),
        ({"norm_type": "layer_norm"}, "norm_type 'layer_norm' .* only ada_norm_zero is read"),
    ],
)
def test_transformers_that_are_none_of_classes_are_refused_by_the_key(tmp_path, change, words):
    saved_dit(tmp_path)
    rewrite(tmp_path / "transformer" / "config.json", **change)
    with pytest.raises(UserError, match=words):
        DiT(str(tmp_path))
