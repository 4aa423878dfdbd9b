"""Autoencoders of diffusers as autoencoders here: scale and shift inside, precision of their own, memory on request."""

import pytest
import torch

from dsg.errors import UserError
from dsg.models.diffusers import AutoencoderFolder
from dsg.models.latent import Decoding
from tests.models.test_weights import sha256

diffusers = pytest.importorskip("diffusers")


def tiny_kl(**changes):
    torch.manual_seed(0)
    options = {
        "block_out_channels": (4, 8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "norm_num_groups": 2,
        "latent_channels": 4,
    }
    return diffusers.AutoencoderKL(**{**options, **changes}).eval()


def tiny_vq(**changes):
    torch.manual_seed(0)
    options = {
        "block_out_channels": (4, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "norm_num_groups": 2,
        "num_vq_embeddings": 16,
        "scaling_factor": 0.5,
    }
    network = diffusers.VQModel(**{**options, **changes}).eval()
    network.quantize.embedding.weight.data.normal_()
    return network


def saved(folder, network):
    network.save_pretrained(folder)
    return network


def images(batch=2, size=16):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_scale_and_shift_are_inside_and_the_code_is_the_mean(tmp_path):
    network = saved(tmp_path, tiny_kl(scaling_factor=0.5, shift_factor=0.25))
    autoencoder = AutoencoderFolder(str(tmp_path), image_size=16)
    assert (autoencoder.latent_shape, autoencoder.image_shape) == ((4, 4, 4), (3, 16, 16))
    raw = network.encode(images()).latent_dist.mode()
    state = autoencoder.encode(images())
    torch.testing.assert_close(state, (raw - 0.25) * 0.5)
    torch.testing.assert_close(autoencoder.decode(state), network.decode(raw).sample)


def test_means_and_deviations_of_channels_are_inside_too(tmp_path):
    mean, std = [1.0, -1.0, 0.5, 0.0], [1.0, 2.0, 3.0, 4.0]
    network = saved(tmp_path, tiny_kl(scaling_factor=0.5, latents_mean=mean, latents_std=std))
    autoencoder = AutoencoderFolder(str(tmp_path), image_size=16)
    raw = network.encode(images()).latent_dist.mode()
    expected = (raw - torch.tensor(mean).view(-1, 1, 1)) * 0.5 / torch.tensor(std).view(-1, 1, 1)
    torch.testing.assert_close(autoencoder.encode(images()), expected)


def test_a_small_autoencoder_is_read_as_the_others(tmp_path):
    network = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(4, 4), decoder_block_out_channels=(4, 4), num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ).eval()  # fmt: skip
    autoencoder = AutoencoderFolder(str(saved(tmp_path, network) and tmp_path), image_size=16)
    torch.testing.assert_close(autoencoder.encode(images()), network.encode(images()).latents)
    state = torch.randn(2, *autoencoder.latent_shape)
    torch.testing.assert_close(autoencoder.decode(state), network.decode(state).sample)


def test_the_gradient_passes_the_quantiser_as_if_it_moved_nothing(tmp_path):
    network = saved(tmp_path, tiny_vq())
    autoencoder = AutoencoderFolder(str(tmp_path), image_size=16)
    state = torch.randn(2, *autoencoder.latent_shape, requires_grad=True)
    (got,) = torch.autograd.grad(autoencoder.decode(state).square().sum(), state)
    code = network.quantize(state / 0.5)[0].detach().requires_grad_()
    image = network.decode(code, force_not_quantize=True).sample
    (expected,) = torch.autograd.grad(image.square().sum(), code)
    torch.testing.assert_close(got, expected / 0.5)


@pytest.mark.parametrize("make", [tiny_kl, tiny_vq])
def test_what_saves_memory_changes_neither_pictures_nor_gradients(tmp_path, make):
    saved(tmp_path, make())
    plain = AutoencoderFolder(str(tmp_path), 16)
    saving = AutoencoderFolder(str(tmp_path), 16, Decoding(sliced=True, checkpointed=True))
    state = torch.randn(3, *plain.latent_shape, requires_grad=True)
    first, second = plain.decode(state), saving.decode(state)
    torch.testing.assert_close(first, second)
    wanted, got = (torch.autograd.grad(image.square().sum(), state)[0] for image in (first, second))
    torch.testing.assert_close(wanted, got, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(plain.encode(images()), saving.encode(images()))


def saved_for_the_gradient(autoencoder):
    """How many numbers a decoded state keeps for its gradient."""
    kept = []
    state = torch.randn(2, *autoencoder.latent_shape, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        autoencoder.decode(state)
    return sum(kept)


@pytest.mark.parametrize("make", [tiny_kl, tiny_vq])
def test_a_checkpointed_decoder_keeps_a_fraction_for_the_gradient(tmp_path, make):
    saved(tmp_path, make())
    plain, saving = (AutoencoderFolder(str(tmp_path), 16, Decoding(checkpointed=c)) for c in (False, True))
    assert saved_for_the_gradient(saving) < 0.3 * saved_for_the_gradient(plain)


def test_tiles_are_those_of_diffusers_and_let_gradients_through(tmp_path):
    network = saved(tmp_path, tiny_kl(scaling_factor=1.0))
    autoencoder = AutoencoderFolder(str(tmp_path), 32, Decoding(tile_size=16))
    network.enable_tiling()
    network.tile_sample_min_size, network.tile_latent_min_size = 16, 4
    state = torch.randn(2, 4, 8, 8, requires_grad=True)
    image = autoencoder.decode(state)
    torch.testing.assert_close(image, network.decode(state).sample)
    (gradient,) = torch.autograd.grad(image.square().sum(), state)
    assert (gradient.flatten(1).norm(dim=1) > 0).all()
    plain = AutoencoderFolder(str(tmp_path), 32)
    assert not torch.allclose(image, plain.decode(state))  # tiles see themselves alone


def test_its_precision_is_its_own_whatever_the_trainer_casts(tmp_path):
    saved(tmp_path, tiny_kl())
    autoencoder = AutoencoderFolder(str(tmp_path), 16)
    state = torch.randn(1, 4, 4, 4)
    expected = autoencoder.decode(state)
    outer = torch.nn.ModuleList([autoencoder]).to(torch.bfloat16)
    assert {parameter.dtype for parameter in outer.parameters()} == {torch.float32}
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(autoencoder.decode(state), expected)
    half = AutoencoderFolder(str(tmp_path), 16, Decoding("bfloat16"))
    image = half.decode(state)
    assert image.dtype == torch.float32
    assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}
    assert 0 < (image - expected).abs().max() < 0.1


def test_its_weights_are_told_and_frozen(tmp_path):
    saved(tmp_path, tiny_kl())
    autoencoder = AutoencoderFolder(str(tmp_path), 16)
    assert autoencoder.weights == {
        name: sha256(tmp_path / name) for name in ("config.json", "diffusion_pytorch_model.safetensors")
    }
    assert not any(parameter.requires_grad for parameter in autoencoder.parameters())
    autoencoder.train()
    assert not autoencoder.network.training


@pytest.mark.parametrize(
    ("make", "size", "decoding", "words"),
    [
        (
            tiny_kl,
            18,
            Decoding(),
            "18x18 is encoded and decoded to 16x16; .* multiple of 4",
        ),
        (tiny_kl, 1, Decoding(), "cannot take images of 1x1|multiple of 4"),
        (tiny_kl, 16, Decoding(tile_size=12), "tile_size 12: must be a multiple of 16"),
        (tiny_vq, 16, Decoding(tile_size=16), "the VQModel of .*config.json has no tiles"),
        (
            lambda: tiny_kl(scaling_factor=0.0),
            16,
            Decoding(),
            "config.json: scaling_factor: must be a finite",
        ),
        (lambda: tiny_kl(scaling_factor="x"), 16, Decoding(), "config.json: scaling_factor: must be a finite number"),
        (lambda: tiny_kl(shift_factor="x"), 16, Decoding(), "config.json: shift_factor: must be a finite number"),
        (
            lambda: tiny_kl(latents_mean=[0.0], latents_std=[1.0, 1.0, 1.0]),
            16,
            Decoding(),
            "config.json: latents_std: must be 1 or 4 finite numbers other than 0",
        ),
        (lambda: tiny_kl(force_upcast=True), 16, Decoding("float16"), "float16: .*config.json says force_upcast"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(tmp_path, make, size, decoding, words):
    saved(tmp_path, make())
    with pytest.raises(UserError, match=words) as error:
        AutoencoderFolder(str(tmp_path), size, decoding)
    assert "\n" not in str(error.value)


def test_other_networks_and_decodings_are_refused(tmp_path):
    diffusers.UNet1DModel().save_config(tmp_path)
    with pytest.raises(UserError, match="of a UNet1DModel, and only AutoencoderKL"):
        AutoencoderFolder(str(tmp_path), 16)
    with pytest.raises(UserError, match=r"config\.json: is missing; give an autoencoder's own folder"):
        AutoencoderFolder(str(tmp_path.parent), 16)
    with pytest.raises(UserError, match="dtype: must be one of float32, bfloat16, float16, got 'half'"):
        Decoding("half")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="tile_size: must be a side"):
        Decoding(tile_size=0)
