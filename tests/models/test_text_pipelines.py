"""Pipelines of text, saved by diffusers, are sampled here as by their own `__call__`."""

import json
import math
import shutil

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.continuous_spacing import ShiftedFlow
from dsg.diffusion.spacing import Leading, Trailing
from dsg.errors import UserError
from dsg.models.diffusers import Flux, StableDiffusion, StableDiffusion3
from dsg.models.engines import Plain
from dsg.models.latent import Decoding
from dsg.models.weights import weights_of
from tests.models import tiny_pipelines as tiny
from tests.models.pipelines import pictures, sampled_by, sampled_here

diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")

PROMPTS, NEGATIVE, STEPS = ["a red door", "snow"], "blurry", 5
TOKENS = 20  # of T5
MAKE = {StableDiffusion: tiny.stable_diffusion, StableDiffusion3: tiny.stable_diffusion_3, Flux: tiny.flux}
OPTIONS = {
    StableDiffusion: {},
    StableDiffusion3: {"max_tokens": TOKENS},
    Flux: {"max_tokens": TOKENS, "image_size": 16},
}


def assert_close(first, second):
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def table(**changes):
    options = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False}
    return diffusers.DDIMScheduler(**{**options, "steps_offset": 1, **changes})


def flow(**changes):
    return diffusers.FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **changes})


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of each model with its pipeline, made once; not to be changed."""
    made = {}

    def get(model):
        if model not in made:
            folder = tmp_path_factory.mktemp(model.__name__)
            made[model] = folder, MAKE[model](folder, table() if model is StableDiffusion else flow())
        return made[model]

    return get


@pytest.fixture
def folder_of(kept, tmp_path):
    """A copy of that folder, to be changed."""
    return lambda model: shutil.copytree(kept(model)[0], tmp_path / "pipeline")


def reschedule(folder, pipeline, scheduler):
    """The same pipeline with another scheduler, in the folder too."""
    scheduler.save_pretrained(folder / "scheduler")
    return type(pipeline)(**{**pipeline.components, "scheduler": scheduler}, **_QUIET.get(type(pipeline).__name__, {}))


_QUIET = {"StableDiffusionPipeline": {"requires_safety_checker": False}}


def agree(model, pipeline, spacing, scale=4.0, **call):
    """Last latents and pictures of both, guided away from the negative prompt."""
    words = {"prompt": PROMPTS, "negative_prompt": [NEGATIVE] * 2, "num_inference_steps": STEPS}
    latents, expected = sampled_by(pipeline, "vae", **words, **call)
    record = sampled_here(model, STEPS, spacing, guidance_scale=scale, prompts=PROMPTS)
    assert_close(record.x_prev, latents)
    assert_close(pictures(model, record.x_prev), expected)
    assert expected.std() > 0.02
    return record


@pytest.mark.parametrize(
    ("options", "spacing"),
    [
        ({}, Leading(offset=1)),
        ({"prediction_type": "v_prediction"}, Leading(offset=1)),
        (
            {"prediction_type": "v_prediction", "timestep_spacing": "trailing", "rescale_betas_zero_snr": True},
            Trailing(),
        ),
    ],
    ids=["1.x", "2.x, v", "2.x, v, from noise alone"],
)
def test_stable_diffusion_is_sampled_as_its_pipeline_samples(kept, folder_of, options, spacing):
    folder, pipeline = folder_of(StableDiffusion), kept(StableDiffusion)[1]
    pipeline = reschedule(folder, pipeline, table(**options))
    model = StableDiffusion(str(folder), negative_prompt=NEGATIVE)
    told = agree(model, pipeline, spacing, guidance_scale=4.0)
    others = sampled_here(model, STEPS, spacing, guidance_scale=4.0, prompts=["rain", "night"])
    assert (others.x_prev - told.x_prev).abs().max() > 0.01


def test_the_noise_that_published_versions_leave_at_the_end_is_left_on_request(kept, folder_of):
    """set_alpha_to_one: false; their pipelines end at the first level."""
    folder, pipeline = folder_of(StableDiffusion), kept(StableDiffusion)[1]
    pipeline = reschedule(folder, pipeline, table(set_alpha_to_one=False))
    agree(
        StableDiffusion(str(folder), negative_prompt=NEGATIVE),
        pipeline,
        Leading(1, ends_clean=False),
        guidance_scale=4.0,
    )


def test_a_flow_in_the_layout_of_stable_diffusion_is_read_by_its_scheduler(folder_of):
    folder = folder_of(StableDiffusion)
    flow(shift=1.0).save_pretrained(folder / "scheduler")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(
        json.dumps({**index, "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"]})
    )
    model = StableDiffusion(str(folder))
    assert model.predicts == "velocity"
    level, x = model.schedule.level(0.3), torch.randn(1, 4, 8, 8)
    text = model.condition(Examples(None, {"prompt": ["a door"]}))
    unet, own = model.score_model.network.unet, x / (level.signal + level.noise)
    velocity = unet(own, 300.0, encoder_hidden_states=text.embedding).sample
    assert_close(model(x, level, text).clean_estimate, own - 0.3 * velocity)


@pytest.mark.parametrize("with_t5", [True, False], ids=["three encoders", "without t5"])
def test_stable_diffusion_3_is_sampled_as_its_pipeline_samples(kept, tmp_path, with_t5):
    pipeline = kept(StableDiffusion3)[1] if with_t5 else tiny.stable_diffusion_3(tmp_path, flow(), with_t5=False)
    folder = kept(StableDiffusion3)[0] if with_t5 else tmp_path
    model = StableDiffusion3(str(folder), negative_prompt=NEGATIVE, max_tokens=TOKENS)
    agree(model, pipeline, ShiftedFlow(3.0, last=3 / 1002), guidance_scale=4.0, max_sequence_length=TOKENS)
    assert len(model.score_model.texts.encoders) == 2 + with_t5


def test_t5_can_be_left_out_where_the_pipeline_has_it(kept):
    model = StableDiffusion3(str(kept(StableDiffusion3)[0]), max_tokens=TOKENS, t5=False, prompt="snow")
    text = model.condition(Examples(torch.zeros(1, 3, 16, 16)))
    assert text.embedding.shape == (1, 16 + TOKENS, 16)
    assert (text.embedding[:, 16:] == 0).all()


@pytest.mark.parametrize("distilled", [True, False])
def test_flux_is_sampled_as_its_pipeline_samples(kept, tmp_path, distilled):
    folder, pipeline = kept(Flux)
    if not distilled:
        folder, pipeline = tmp_path, tiny.flux(tmp_path, flow(), guidance_embeds=False)
    model = Flux(str(folder), negative_prompt=NEGATIVE, **OPTIONS[Flux])
    call = {"guidance_scale": 3.5} if distilled else {}
    agree(
        model, pipeline, ShiftedFlow(3.0), 2.0, true_cfg_scale=2.0, max_sequence_length=TOKENS, height=16, width=16,
        **call,
    )  # fmt: skip


def test_the_shift_of_flux_hangs_on_the_size_of_images(kept, folder_of):
    folder, pipeline = folder_of(Flux), kept(Flux)[1]
    pipeline = reschedule(folder, pipeline, flow(use_dynamic_shifting=True, max_shift=0.9))
    tokens, slope = 16, (0.9 - 0.5) / (4096 - 256)
    shift = math.exp(0.5 + slope * (tokens - 256))
    model = Flux(str(folder), negative_prompt=NEGATIVE, **OPTIONS[Flux])
    agree(
        model, pipeline, ShiftedFlow(shift), 2.0, true_cfg_scale=2.0, max_sequence_length=TOKENS, height=16, width=16,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [StableDiffusion, StableDiffusion3, Flux])
def test_a_loss_of_the_picture_reaches_the_noise_in_half_precision(kept, kind):
    memory = {"checkpointed": True, "decoding": Decoding(checkpointed=True)}
    memory |= {"engine": Plain(channels_last=True)} if kind is StableDiffusion else {}
    model = kind(str(kept(kind)[0]), **memory, **OPTIONS[kind])
    level, x = model.schedule.at(-0.5), torch.randn(2, 4, 8, 8)

    def gradient():
        text = model.condition(Examples(torch.zeros(2, 3, 16, 16), {"prompt": PROMPTS}))
        assert text.embedding.dtype == torch.float32
        state = x.clone().requires_grad_()
        loss = model.decode(model(state, level, text).clean_estimate).square().flatten(1).sum(1)
        return torch.autograd.grad(loss.sum(), state)[0]

    exact = gradient()
    with torch.autocast("cpu", torch.float16):
        mixed = gradient()
    model.to(torch.bfloat16)
    torch.set_default_dtype(torch.bfloat16)  # as Lightning does while a batch runs in bf16-true
    try:
        rounded = gradient()
    finally:
        torch.set_default_dtype(torch.float32)
    for half in (mixed, rounded):
        assert half.dtype == torch.float32
        assert 0 < (half - exact).norm() < 0.1 * exact.norm()


def test_the_files_of_every_part_are_told(kept):
    model = StableDiffusion3(str(kept(StableDiffusion3)[0]), max_tokens=TOKENS)
    told = set(weights_of(model))
    encoders = "score_model.texts.encoders"
    assert {
        "score_model/transformer/diffusion_pytorch_model.safetensors",
        "score_model/scheduler/scheduler_config.json",
        "autoencoder/vae/diffusion_pytorch_model.safetensors",
        f"{encoders}.0/text_encoder/model.safetensors",
        f"{encoders}.1/tokenizer_2/tokenizer.json",
        f"{encoders}.2/text_encoder_3/config.json",
    } <= told


def rewrite(file, **entries):
    content = {**json.loads(file.read_text()), **entries}
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


@pytest.mark.parametrize(
    ("kind", "spoil", "words"),
    [
        (StableDiffusion, lambda f: shutil.rmtree(f / "tokenizer"), "its part tokenizer is missing; copy that folder"),
        (
            StableDiffusion,
            lambda f: rewrite(f / "model_index.json", tokenizer=[None, None]),
            r"\(StableDiffusionPipeline\) has no tokenizer, but",
        ),
        (
            StableDiffusion,
            lambda f: [(f / "tokenizer" / name).unlink() for name in ("vocab.json", "tokenizer.json")],
            "of the CLIPTokenizer, vocab.json is missing; copy",
        ),
        (StableDiffusion, lambda f: shutil.rmtree(f / "text_encoder"), "its part text_encoder is missing"),
        (
            StableDiffusion,
            lambda f: tiny.clip(16).save_pretrained(f / "text_encoder"),
            "the network cannot take latents of 4x8x8 with these text encoders",
        ),
        (
            StableDiffusion,
            lambda f: rewrite(f / "text_encoder" / "config.json", intermediate_size=32),
            "does not fit the network's options: .* of another shape",
        ),
        (
            StableDiffusion,
            lambda f: rewrite(f / "text_encoder" / "config.json", vocab_size=9),
            "vocab_size 9 is less than the 54 tokens",
        ),
        (
            StableDiffusion,
            lambda f: rewrite(f / "unet" / "config.json", in_channels=9),
            "takes 9 channels and latents have 4; .* inpainting and editing",
        ),
        (
            StableDiffusion,
            lambda f: rewrite(f / "unet" / "config.json", addition_embed_type="text_time"),
            "told of more than a text",
        ),
        (
            StableDiffusion,
            lambda f: rewrite(f / "model_index.json", tokenizer=["transformers", "CLIPModel"]),
            "CLIPModel is no tokenizer of transformers",
        ),
        (
            StableDiffusion3,
            lambda f: table().save_pretrained(f / "scheduler"),
            "is of no flow, and a StableDiffusion3Pipeline is one",
        ),
        (StableDiffusion3, lambda f: shutil.rmtree(f / "tokenizer_3"), "its part tokenizer_3 is missing"),
        (
            StableDiffusion,
            lambda f: rewrite(f / "model_index.json", _class_name="FluxPipeline"),
            "diffusers.Flux reads",
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(folder_of, kind, spoil, words):
    folder = folder_of(kind)
    spoil(folder)
    with pytest.raises(UserError, match=words) as error:
        kind(str(folder), **OPTIONS[kind])
    assert "\n" not in str(error.value)


def test_options_that_a_pipeline_cannot_have_are_refused(kept, tmp_path):
    with pytest.raises(UserError, match="text_dtype: must be one of float32, bfloat16, got 'float16'"):
        StableDiffusion(str(kept(StableDiffusion)[0]), text_dtype="float16")
    with pytest.raises(UserError, match="max_tokens: must be at least 1, got 0"):
        StableDiffusion3(str(kept(StableDiffusion3)[0]), max_tokens=0)
    schnell = shutil.copytree(kept(Flux)[0], tmp_path / "schnell")
    rewrite(schnell / "transformer" / "config.json", guidance_embeds=False)
    with pytest.raises(UserError, match="told none; leave it out"):
        Flux(str(schnell), guidance=3.5)
    with pytest.raises(UserError, match="multiple of 2"):
        StableDiffusion(str(kept(StableDiffusion)[0]), image_size=17)


def test_images_of_another_size_than_the_trained_one_are_made(kept):
    model = StableDiffusion(str(kept(StableDiffusion)[0]), image_size=(32, 16), prompt="snow")
    assert (model.shape, model.image_shape) == ((4, 16, 8), (3, 32, 16))
