"""A network of diffusers runs as diffusers runs it, or is refused by its key when it is loaded."""

import copy
import json
import pickle

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion import Even, LogSNR
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DPS, Unguided
from dsg.models.diffusers import DiffusersModel
from dsg.sampling import Sampler
from tasks import Denoising, Generation
from tests.models.test_diffusers import level_of, saved, tiny_unet

diffusers = pytest.importorskip("diffusers")

LEARNED = {"time_embedding_type": "learned", "num_train_timesteps": 1000}
LABELS = torch.tensor([1, 3])


def states(shape, batch=2):
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"sample_size": (8, 16)}, (3, 8, 16)),
        ({"in_channels": 1, "out_channels": 1}, (1, 8, 8)),
        ({"in_channels": 2, "out_channels": 4}, (2, 8, 8)),
        (LEARNED, (3, 8, 8)),
        ({"center_input_sample": True, "freq_shift": 1, "flip_sin_to_cos": False}, (3, 8, 8)),
        ({"resnet_time_scale_shift": "scale_shift", "downsample_type": "resnet", "upsample_type": "resnet"}, (3, 8, 8)),
        ({"add_attention": False, "dropout": 0.3, "act_fn": "gelu"}, (3, 8, 8)),
        ({"mid_block_type": None, "time_embedding_dim": 12}, (3, 8, 8)),
    ],
    ids=str,
)
def test_it_answers_as_in_diffusers(tmp_path, options, shape):
    unet, model = saved(tmp_path, tiny_unet(**options)), DiffusersModel(str(tmp_path))
    assert model.shape == shape
    for t in (0, 7, 999):
        told = model(states(shape), level_of(model, t))
        expected = unet(states(shape), torch.tensor(t)).sample
        answer = told.epsilon if not model.learns_variance else torch.cat([told.epsilon, told.variance_range], 1)
        torch.testing.assert_close(answer, expected)


@pytest.mark.parametrize("time", [{}, LEARNED], ids=["sines", "learned"])
def test_classes_that_are_embedded_as_times_are_heard(tmp_path, time):
    unet = saved(tmp_path, tiny_unet(class_embed_type="timestep", **time))
    model = DiffusersModel(str(tmp_path), num_classes=4)
    assert model.num_classes == 4
    told = model(states((3, 8, 8)), level_of(model, 7), ClassLabels(LABELS)).epsilon
    torch.testing.assert_close(told, unet(states((3, 8, 8)), torch.tensor(7), LABELS).sample)
    with pytest.raises(UserError, match=r"config.json: class_embed_type 'timestep' .* set num_classes"):
        DiffusersModel(str(tmp_path))


def test_a_number_of_classes_that_the_configuration_contradicts_is_refused(tmp_path):
    saved(tmp_path, tiny_unet(num_class_embeds=5))
    assert DiffusersModel(str(tmp_path), num_classes=5).num_classes == 5
    with pytest.raises(UserError, match=r"num_classes 4: .*config.json says 5 \(num_class_embeds\)"):
        DiffusersModel(str(tmp_path), num_classes=4)
    saved(tmp_path)
    with pytest.raises(UserError, match=r"num_classes 4: .*config.json says none"):
        DiffusersModel(str(tmp_path), num_classes=4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_embed_type": "identity"}, "class_embed_type 'identity' is told of vectors"),
        ({"class_embed_type": "projection"}, "class_embed_type 'projection' is told of vectors"),
        ({"class_embed_type": "simple_projection"}, "class_embed_type 'simple_projection' is told of vectors"),
        (
            {"time_embedding_type": "fourier"},
            "time_embedding_type 'fourier' does not belong to .*scheduler_config.json",
        ),
        ({"time_embedding_type": "learned"}, "diffusers cannot build this network"),
        ({"time_embedding_type": "spiral"}, "diffusers cannot build this network"),
        ({"addition_embed_type": "text"}, "found UNet2DModel with addition_embed_type 'text'"),
        ({"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768}, "with cross_attention_dim 768"),
        ({"_class_name": "DiTTransformer2DModel"}, "found DiTTransformer2DModel; wrap it"),
        ({"in_channels": 6}, "in_channels 6 and out_channels 3"),
        ({"block_out_channels": [8, 9]}, "diffusers cannot build this network .*divisible"),
        ({"sample_size": 7}, "the network cannot take states of 3x7x7 .*; correct sample_size"),
        ({"sample_size": 0}, "sample_size 0 is no size in pixels"),
        ({"sample_size": [8, 8, 8]}, r"sample_size \[8, 8, 8\] is no size in pixels"),
        ({"sample_size": "8"}, "sample_size '8' is no size in pixels"),
    ],
    ids=str,
)
def test_what_cannot_run_is_refused_by_its_key_when_it_is_loaded(tmp_path, change, words):
    saved(tmp_path)
    file = tmp_path / "unet" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(UserError, match=rf"unet.config\.json: .*{words}") as error:
        DiffusersModel(str(tmp_path))
    assert "\n" not in str(error.value)


def test_fewer_learned_times_than_the_schedule_has_are_refused(tmp_path):
    saved(tmp_path, tiny_unet(time_embedding_type="learned", num_train_timesteps=500))
    with pytest.raises(UserError, match=r"num_train_timesteps 500 are fewer than the 1000 of .*scheduler_config.json"):
        DiffusersModel(str(tmp_path))


def test_learned_times_are_sampled_at_whole_timesteps_alone(tmp_path):
    saved(tmp_path, tiny_unet(**LEARNED))
    model = DiffusersModel(str(tmp_path))
    sampler = Sampler(model, Denoising(), DPS(), steps=2, spacing=Even())
    process = sampler.begin(Examples(torch.zeros(1, 3, 8, 8)), NoiseStreams([SampleKey(0, "a")]))
    assert all(record.x_prev.isfinite().all() for record in sampler.run(process))
    with pytest.raises(
        UserError, match=r"spacing: LogSNR visits t = [\d.]+, and the network knows whole timesteps alone"
    ):
        Sampler(model, Denoising(), DPS(), steps=5, spacing=LogSNR())
    with pytest.raises(UserError, match=r"whole timesteps alone and was asked at t = 2\.5"):
        model(torch.zeros(1, 3, 8, 8), NoiseLevel.from_alpha_bar(2.5, 0.5))


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_model_with_learned_times_is_the_same_model(tmp_path, twin):
    saved(tmp_path, tiny_unet(**LEARNED))
    model = DiffusersModel(str(tmp_path))
    level = level_of(model, 7)
    assert torch.equal(twin(model)(states((3, 8, 8)), level).epsilon, model(states((3, 8, 8)), level).epsilon)


def test_weights_of_guided_diffusion_are_sent_to_their_own_class(tmp_path):
    from safetensors.torch import save_file

    saved(tmp_path)
    save_file({"time_embed.0.weight": torch.zeros(2, 2)}, tmp_path / "unet" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(UserError, match=r"names of guided-diffusion: take dsg\.models\.adm\.ADM"):
        DiffusersModel(str(tmp_path))


def test_a_flow_is_stepped_as_in_diffusers(tmp_path):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    unet = tiny_unet()
    unet.save_pretrained(tmp_path)
    scheduler.save_pretrained(tmp_path)
    sampler = Sampler(DiffusersModel(str(tmp_path)), Generation(), Unguided(), DDIM(eta=0.0), 5, clip_denoised=False)
    process = sampler.begin(Examples(torch.zeros(1, 3, 8, 8)), NoiseStreams([SampleKey(0, "a")]))
    x = states((3, 8, 8), 1)
    (*_, record) = sampler.run(process, x)
    scheduler.set_timesteps(sigmas=[1.0, 0.8, 0.6, 0.4, 0.2])
    with torch.no_grad():
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t[None]).sample, t, x).prev_sample
    torch.testing.assert_close(record.x_prev, x, atol=1e-4, rtol=1e-4)


def test_a_variance_exploding_network_denoises_as_in_diffusers(tmp_path):
    scheduler = diffusers.ScoreSdeVeScheduler(sigma_max=50.0)
    unet = tiny_unet(time_embedding_type="fourier", center_input_sample=True)
    unet.save_pretrained(tmp_path)
    scheduler.save_pretrained(tmp_path)
    model = DiffusersModel(str(tmp_path))
    assert (model.schedule.cleanest.sigma, model.schedule.noisiest.sigma) == pytest.approx((0.02, 100.0))
    for sigma in (0.02, 1.0, 50.0):  # of pictures in [0, 1], whose score the network says
        x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(2)) + sigma * states((3, 8, 8))
        clean = x + sigma**2 * unet(x, torch.tensor(sigma)).sample  # Tweedie's formula
        level = NoiseLevel.from_sigma(2 * sigma, 2 * sigma)
        told = model((2 * x - 1) * level.signal, level).clean_estimate
        torch.testing.assert_close(told, 2 * clean - 1, atol=1e-3, rtol=1e-4)


def test_frequencies_of_a_variance_exploding_network_stay_exact_where_its_weights_are_cast(tmp_path):
    tiny_unet(time_embedding_type="fourier", center_input_sample=True).save_pretrained(tmp_path)
    diffusers.ScoreSdeVeScheduler(sigma_max=50.0).save_pretrained(tmp_path)
    exact, cast = DiffusersModel(str(tmp_path)), DiffusersModel(str(tmp_path)).to(torch.bfloat16)
    level = NoiseLevel.from_sigma(0.05, 0.05)
    x = states((3, 8, 8)) * level.signal
    one, other = (model(x, level).epsilon for model in (exact, cast))
    assert (other - one).norm() < 0.03 * one.norm()


def test_a_network_of_another_process_than_its_scheduler_s_is_refused(tmp_path):
    tiny_unet().save_pretrained(tmp_path)
    diffusers.ScoreSdeVeScheduler().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="time_embedding_type 'positional' does not belong to"):
        DiffusersModel(str(tmp_path))
    tiny_unet(**LEARNED).save_pretrained(tmp_path)
    diffusers.FlowMatchEulerDiscreteScheduler().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="time_embedding_type 'learned' needs a scheduler with betas"):
        DiffusersModel(str(tmp_path))
