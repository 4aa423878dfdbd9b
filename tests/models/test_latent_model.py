"""A model of latents is its score model, seen through an autoencoder."""

import pytest
import torch

from dsg.data.media import Pictures
from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.latent import LatentModel, LinearAutoencoder
from dsg.models.mixture import GaussianMixture

MATRIX = torch.randn(27, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LEVEL = NoiseLevel.from_alpha_bar(500.0, 0.6)


def autoencoder() -> LinearAutoencoder:
    return LinearAutoencoder(MATRIX, torch.full((27,), 0.1), image_shape=(3, 3, 3), latent_shape=(1, 2, 2))


def test_the_score_is_that_of_the_latents_and_pictures_come_of_the_decoder():
    inside = GaussianMixture([1.0], torch.zeros(1, 1, 2, 2), 0.5)
    model = LatentModel(inside, autoencoder())
    x = torch.randn(2, 1, 2, 2)
    assert torch.equal(model(x, LEVEL).clean_estimate, inside(x, LEVEL).clean_estimate)
    assert model.has_decoder
    assert model.shape == (1, 2, 2)
    assert model.image_shape == (3, 3, 3)
    assert isinstance(model.medium, Pictures)
    assert model.decode(x).shape == (2, 3, 3, 3)
    assert (model.encode(model.decode(x)) - x).abs().max() < 1e-5


def test_latents_are_clamped_nowhere():
    inside = GaussianMixture([1.0], torch.zeros(1, 1, 2, 2), 0.5)
    inside.clean_range = (-1.0, 1.0)
    assert LatentModel(inside, autoencoder()).clean_range is None


def test_a_linear_autoencoder_projects_on_what_it_can_make():
    made = autoencoder()
    image = torch.randn(5, 3, 3, 3, dtype=torch.float64)
    once = made.decode(made.encode(image))
    assert (made.decode(made.encode(once)) - once).abs().max() < 1e-10
    assert ((image - once).flatten(1) @ MATRIX).abs().max() < 1e-10  # what is lost is orthogonal to the columns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(4, 2),), "of rank k"),
        ((torch.eye(4)[:, :2], torch.zeros(3)), "mean"),
        ((torch.eye(4)[:, :2], None, (5,)), "image_shape"),
    ],
)
def test_matrices_and_shapes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        LinearAutoencoder(*arguments)


def test_a_score_model_of_other_states_is_refused():
    with pytest.raises(UserError, match="trained together"):
        LatentModel(GaussianMixture([1.0], torch.zeros(1, 5), 0.5), autoencoder())
