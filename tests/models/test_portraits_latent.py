"""The latent world in the package: a pipeline folder that diffusers and transformers read, within its size."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.portraits.latent_sampling import World, sample
from dsg.data.examples import PROMPT
from dsg.data.portraits import HELD_OUT_START, caption, render
from dsg.data.portraits.captions import vocabulary
from dsg.diffusion import ShiftedFlow
from dsg.models.latent import Decoding
from dsg.models.portraits.attribute_judge import WEIGHTS as JUDGE
from dsg.models.portraits.latent_model import FOLDER, PortraitsLatent
from dsg.models.weights import weights_of
from tests.contract import test_contract as contract
from tests.contract.axes import COMBINERS, KERNELS, TASKS
from tests.contract.design import Case
from tests.contract.methods import METHODS
from tests.contract.run import agree, unguided
from tests.contract.run import sample as contract_sample
from tests.models.pipelines import noise, sampled_here

NETWORKS = ("vae", "unet", "text_encoder")
SEEN = [HELD_OUT_START + 320_000 + k for k in range(8)]


@pytest.fixture(scope="module")
def pipeline():
    """What the folder's own class makes of it, in float32."""
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    return DiffusionPipeline.from_pretrained(str(FOLDER), local_files_only=True).to(torch.float32)


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.stack([render(index).image for index in SEEN]))


def told(pipeline, texts):
    length = pipeline.tokenizer.model_max_length
    rows = pipeline.tokenizer(texts, padding="max_length", max_length=length, return_tensors="pt").input_ids
    assert rows.shape == (len(texts), length)
    return pipeline.text_encoder(rows).last_hidden_state


def test_the_text_encoder_has_the_weights_of_its_file(pipeline):
    stored = load_file(FOLDER / "text_encoder" / "model.safetensors")
    read = {f"text_model.{k.removeprefix('text_model.')}": v for k, v in pipeline.text_encoder.state_dict().items()}
    for name, tensor in stored.items():
        assert torch.equal(read[name], tensor.float()), name


def test_diffusers_reads_the_folder_as_a_pipeline_of_text(pipeline):
    assert type(pipeline).__name__ == "StableDiffusionPipeline"
    assert type(pipeline.scheduler).__name__ == "FlowMatchEulerDiscreteScheduler"
    assert type(pipeline.text_encoder).__name__ == "CLIPTextModel"
    assert type(pipeline.unet).__name__ == "UNet2DConditionModel"


def test_all_of_it_takes_at_most_16_megabytes():
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in [*files, JUDGE]) <= 16e6
    for name in NETWORKS:
        (weights,) = (FOLDER / name).glob("*.safetensors")
        assert {tensor.dtype for tensor in load_file(weights).values()} <= {torch.float16, torch.int64}
    assert not [file for file in files if file.suffix not in (".json", ".txt", ".safetensors")]
    assert not [file for file in files if file.suffix == ".json" and "_name_or_path" in file.read_text()]


@torch.no_grad()
def test_the_autoencoder_keeps_31_decibels_of_held_out_portraits(pipeline, images):
    decoded = pipeline.vae.decode(pipeline.vae.encode(images).latent_dist.mode()).sample.clamp(-1, 1)
    psnr = 10 * torch.log10(4 / (decoded - images).square().mean((1, 2, 3)))
    assert psnr.mean() >= 31


@torch.no_grad()
def test_latents_are_of_unit_scale(pipeline, images):
    latents = pipeline.vae.encode(images).latent_dist.mode() * pipeline.vae.config.scaling_factor
    assert latents.shape == (8, 4, 16, 16)
    assert latents.mean((0, 2, 3)).abs().max() < 0.3
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 0.25


def test_each_word_of_a_caption_is_one_token_and_captions_fit(pipeline):
    tokenizer = pipeline.tokenizer
    assert [word for word in vocabulary() if len(tokenizer(word).input_ids) != 3] == []
    lengths = [len(tokenizer(caption(index).text).input_ids) for index in range(400)]
    assert max(lengths) <= tokenizer.model_max_length == pipeline.text_encoder.config.max_position_embeddings
    assert len(tokenizer("").input_ids) == 2
    assert len(tokenizer) == pipeline.text_encoder.config.vocab_size


@torch.no_grad()
def test_the_flow_knows_the_velocity_and_a_caption_tells_it_more(pipeline, images):
    clean = pipeline.vae.encode(images).latent_dist.mode() * pipeline.vae.config.scaling_factor
    noise = torch.randn(4, *clean.shape, generator=torch.Generator().manual_seed(0)).flatten(0, 1)
    clean, t = clean.repeat(4, 1, 1, 1), 0.7

    def loss(texts):
        velocity = pipeline.unet((1 - t) * clean + t * noise, 1000 * t, told(pipeline, texts).repeat(4, 1, 1)).sample
        return float((velocity - (noise - clean)).square().mean())

    texts = [caption(index).text for index in SEEN]
    right, wrong = loss(texts), loss([*texts[1:], texts[0]])
    assert right < 0.6 * float((noise - clean).square().mean())
    assert right < wrong - 0.002


def test_the_files_are_named_as_the_loaders_look_for_them():
    index = json.loads((FOLDER / "model_index.json").read_text())
    for name in (*NETWORKS, "tokenizer", "scheduler"):
        assert index[name][1] is not None
        assert (FOLDER / name).is_dir()
    assert (FOLDER / "unet" / "diffusion_pytorch_model.safetensors").is_file()
    assert (FOLDER / "text_encoder" / "model.safetensors").is_file()
    names = load_file(FOLDER / "text_encoder" / "model.safetensors")
    assert all(name.startswith("text_model.") for name in names)  # what transformers 4 and 5 both read
    assert {"vocab.json", "merges.txt"} <= {file.name for file in (FOLDER / "tokenizer").iterdir()}


@pytest.fixture(scope="module")
def model():
    return PortraitsLatent()


def test_the_library_samples_it_as_plain_euler_steps_of_its_parts_do(pipeline, model):
    world = World(pipeline.vae, pipeline.unet, pipeline.text_encoder, pipeline.tokenizer)
    texts = [caption(index).text for index in SEEN[:2]]
    ours = sampled_here(model, 4, ShiftedFlow(1.0), guidance_scale=2.0, prompts=texts).x_prev
    theirs = sample(world, texts, noise(2, 4, 16, 16), 4, 2.0, torch.float32)
    torch.testing.assert_close(model.decode(ours).clamp(-1, 1), theirs, atol=1e-3, rtol=0)


def test_guided_latents_keep_the_laws_of_the_contract(images):
    told = PortraitsLatent(prompt="a person with glasses", negative_prompt="a red hat")
    case = Case(told, TASKS["random inpainting"], METHODS["dsg"], KERNELS["ddim"], COMBINERS["cfg"])
    four, free = contract_sample(case, images[:4], "abcd"), contract_sample(unguided(case), images[:4], "abcd")
    contract.test_the_network_is_evaluated_as_often_as_method_kernel_and_combiner_declare(case, four)
    guided_loss, free_loss = (case.task.loss(told.decode(of[0]), four[2].measurement).mean() for of in (four, free))
    assert guided_loss < free_loss
    contract.test_no_step_leaves_a_graph_and_no_weight_requires_a_gradient(case, four)
    alone, _, process = contract_sample(case, images[2:3], "c")
    assert agree(alone, four[0][2:3], case, images[2:3], "c")
    assert process.decoder_backwards == process.backwards


def test_decoding_in_bfloat16_moves_a_picture_by_less_than_a_shade_of_8_bits(model, images):
    half = PortraitsLatent(decoding=Decoding("bfloat16"))
    latents = model.encode(images[:2])
    moved = half.decode(latents) - model.decode(latents)
    assert moved.dtype == torch.float32
    assert 0 < float(moved.square().mean().sqrt()) < 1 / 255


def test_its_data_bring_the_prompts_that_it_asks_for(model):
    assert model.requires == {PROMPT}
    assert model.shape == (4, 16, 16)
    assert model.image_shape == (3, 64, 64)
    assert model.clean_range is None
    assert PortraitsLatent(prompt="").requires == frozenset()
    told = " ".join(weights_of(model))
    assert all(part in told for part in ("unet/", "vae/", "text_encoder/", "tokenizer/"))
