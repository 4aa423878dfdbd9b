import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from tasks import Denoising, GaussianNoise, MotionDeblurring, PoissonNoise, RandomInpainting


def streams(*images: str) -> NoiseStreams:
    return NoiseStreams([SampleKey(0, image) for image in images])


@pytest.mark.parametrize("noise_sigma", [0.05, 0.5])
def test_gaussian_noise_has_the_standard_deviation_that_was_asked_for(noise_sigma):
    clean = torch.rand(2, 3, 128, 128)
    noise = GaussianNoise(noise_sigma)(clean, streams("a", "b")) - clean
    for row in noise:
        assert row.std().item() == pytest.approx(noise_sigma, rel=0.02)
        assert abs(row.mean().item()) < 5 * noise_sigma / row.numel() ** 0.5


def test_no_noise_changes_nothing():
    clean = torch.rand(2, 3, 16, 16)
    assert torch.equal(GaussianNoise(0.0)(clean, streams("a", "b")), clean)


@pytest.mark.parametrize("grey", [-0.9, 0.0, 1.0])
@pytest.mark.parametrize("peak", [30.0, 255.0])
def test_poisson_noise_keeps_the_mean_and_has_a_variance_that_grows_with_it(grey, peak):
    noisy = PoissonNoise(peak)(torch.full((1, 3, 128, 128), grey), streams("a")).double()
    u = (grey + 1) / 2
    assert noisy.mean().item() == pytest.approx(grey, abs=5 * 2 * (u / peak / noisy.numel()) ** 0.5)
    assert noisy.var().item() == pytest.approx(4 * u / peak, rel=0.05)


def test_poisson_noise_of_what_is_darker_than_black_is_black():
    assert (PoissonNoise(30.0)(torch.full((1, 3, 8, 8), -1.5), streams("a")) == -1).all()


@pytest.mark.parametrize("noise", [GaussianNoise(), PoissonNoise()], ids=["gaussian", "poisson"])
def test_noise_is_bitwise_the_same_in_every_batch_and_order(noise):
    clean = torch.rand(3, 3, 16, 16)
    together = noise(clean, streams("a", "b", "c"))
    reversed_order = noise(clean.flip(0), streams("c", "b", "a")).flip(0)
    alone = torch.cat([noise(clean[i : i + 1], streams("abc"[i])) for i in range(3)])
    assert torch.equal(together, alone)
    assert torch.equal(together, reversed_order)
    assert not torch.equal(together[0] - clean[0], together[1] - clean[1])


def test_the_noise_does_not_depend_on_what_the_operator_draws():
    x = torch.zeros(1, 3, 32, 32)
    y = Denoising().measure(Examples(x), streams("a")).y
    assert torch.equal(RandomInpainting(noise_on_dropped=True).measure(Examples(x), streams("a")).y, y)
    assert torch.equal(MotionDeblurring(15).measure(Examples(x), streams("a")).y, y)


@pytest.mark.parametrize("noise_sigma", [-0.1, float("inf"), float("nan")])
def test_an_impossible_noise_sigma_is_refused(noise_sigma):
    with pytest.raises(UserError, match="noise_sigma: must be at least 0"):
        GaussianNoise(noise_sigma)


@pytest.mark.parametrize("peak", [0.0, -1.0, float("inf"), float("nan")])
def test_an_impossible_photon_count_is_refused(peak):
    with pytest.raises(UserError, match=r"peak: .* above 0"):
        PoissonNoise(peak)


def test_poisson_noise_of_a_broken_image_is_nan_and_that_of_its_neighbour_is_its_own():
    clean = torch.zeros(2, 3, 4, 4)
    clean[0, 0, 0, 0] = torch.nan
    noisy = PoissonNoise()(clean, NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))
    assert noisy.isnan().nonzero().tolist() == [[0, 0, 0, 0]]
    assert torch.equal(noisy[1:], PoissonNoise()(clean[1:], NoiseStreams([SampleKey(0, "b")])))
