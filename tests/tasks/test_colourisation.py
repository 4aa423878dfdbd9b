import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks import Colourisation, GaussianNoise

STREAMS = NoiseStreams([SampleKey(0, "a")])


def test_the_measurement_is_the_mean_of_the_channels():
    x = torch.rand(1, 3, 8, 8) * 2 - 1
    measurement = Colourisation(noise=GaussianNoise(0.0)).measure(Examples(x), STREAMS)
    torch.testing.assert_close(measurement.y, x.mean(dim=1, keepdim=True))


def test_luma_weighs_green_most_and_leaves_grey_pictures_as_they_are():
    operator = Colourisation("luma").operator((3, 1, 1), STREAMS)
    red, green, blue = operator.forward(torch.eye(3)[:, :, None, None]).flatten().tolist()
    assert green > red > blue > 0
    torch.testing.assert_close(operator.forward(torch.full((1, 3, 1, 1), 0.7)), torch.full((1, 1, 1, 1), 0.7))


def test_the_pseudo_inverse_of_a_grey_picture_under_equal_weights_is_that_picture():
    y = torch.rand(1, 1, 8, 8)
    assert torch.allclose(Colourisation().operator((3, 8, 8), STREAMS).pseudo_inverse(y), y.expand(1, 3, 8, 8))


def test_the_mean_takes_any_number_of_channels_and_luma_three():
    Colourisation().check((5, 8, 8))
    with pytest.raises(UserError, match="luma weighs 3 channels, and the images have 5; set weights: mean"):
        Colourisation("luma").check((5, 8, 8))


def test_other_weights_are_refused():
    with pytest.raises(UserError, match="weights must be mean or luma, got red"):
        Colourisation("red")  # pyright: ignore[reportArgumentType]
