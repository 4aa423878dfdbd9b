"""EDM2's latents: whitened codes of an autoencoder that sees pictures in [0, 1]."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from dsg.errors import UserError
from dsg.models.edm import EDM, LatentEDM, StabilityEncoder
from dsg.models.latent import Autoencoder, LinearAutoencoder
from dsg.models.weights import weights_of

DATA = Path(__file__).parents[1] / "data/edm"
SCALE, BIAS = [0.12, 0.11, 0.13, 0.15], [-0.7, -0.35, -0.02, 0.33]


class Codes(Autoencoder):
    """Means of 8×8 pixels and a channel of zeros; a factor of its own, that EDM2 does not know."""

    latent_shape, image_shape = (4, 16, 16), (3, 128, 128)

    def encode_raw(self, image):
        small = torch.nn.functional.avg_pool2d(image, 8)
        return torch.cat([small, torch.zeros_like(small[:, :1])], dim=1)

    def decode_raw(self, raw):
        return torch.nn.functional.interpolate(raw[:, :3], scale_factor=8)

    def encode(self, image):
        return 0.18215 * self.encode_raw(image)

    def decode(self, state):
        return self.decode_raw(state / 0.18215)


def with_encoder(tmp_path: Path, encoder: dict) -> str:
    folder = shutil.copytree(DATA / "edm2_cond", tmp_path / "network")
    config = json.loads((folder / "config.json").read_text()) | {"encoder": encoder}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_codes_of_pictures_in_0_to_1_are_whitened_by_channel():
    encoder = StabilityEncoder(Codes(), SCALE, BIAS)
    grey = torch.full((1, 3, 128, 128), -0.5)  # 0.25 in [0, 1]
    state = encoder.encode(grey)
    expected = [0.25 * scale + bias for scale, bias in zip(SCALE[:3], BIAS[:3], strict=True)] + [BIAS[3]]
    torch.testing.assert_close(state[0, :, 5, 5], torch.tensor(expected))
    torch.testing.assert_close(encoder.decode(state), grey)


def test_a_checkpoint_of_latents_brings_its_whitening(tmp_path):
    path = with_encoder(tmp_path, {"class_name": "StabilityVAEEncoder", "scale": SCALE, "bias": BIAS, "batch_size": 8})
    model = LatentEDM(path, Codes())
    assert (model.shape, model.image_shape, model.clean_range) == ((4, 16, 16), (3, 128, 128), None)
    assert model.has_decoder
    assert model.num_classes == 10
    image = torch.rand(2, 3, 16, 16).repeat_interleave(8, 2).repeat_interleave(8, 3)
    torch.testing.assert_close(model.decode(model.encode(image)), image)
    state = model.encode(image).requires_grad_()
    (gradient,) = torch.autograd.grad(model.decode(state).sum(), state)
    torch.testing.assert_close(gradient[0, :, 0, 0], torch.tensor([2 * 64 / s for s in SCALE[:3]] + [0.0]))
    assert {place.split("/")[-1] for place in weights_of(model)} == {"config.json", "weights.safetensors"}


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        ({}, "names no encoder where latents have StabilityVAEEncoder"),
        ({"class_name": "StandardRGBEncoder"}, "names StandardRGBEncoder where latents have"),
        ({"class_name": "StabilityVAEEncoder"}, "with scale and bias"),
        ({"class_name": "StabilityVAEEncoder", "scale": [1.0], "bias": BIAS}, "needs 4 of scale and bias"),
        ({"class_name": "StabilityVAEEncoder", "scale": [0.0, 1, 1, 1], "bias": BIAS}, "no scale 0"),
    ],
)
def test_a_checkpoint_that_does_not_say_its_whitening_is_refused(tmp_path, encoder, said):
    with pytest.raises(UserError) as error:
        LatentEDM(with_encoder(tmp_path, encoder), Codes())
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_autoencoder_that_hides_its_codes_is_refused():
    linear = LinearAutoencoder(torch.eye(4), image_shape=(1, 2, 2), latent_shape=(4, 1, 1))
    with pytest.raises(UserError, match="LinearAutoencoder does not tell its codes"):
        StabilityEncoder(linear, SCALE, BIAS)


def test_a_network_says_what_its_file_says_of_its_encoder(tmp_path):
    assert (
        EDM(with_encoder(tmp_path, {"class_name": "StandardRGBEncoder"})).encoder["class_name"] == "StandardRGBEncoder"
    )
    assert dict(EDM(str(DATA / "edm2_guide_uncond")).encoder) == {}
