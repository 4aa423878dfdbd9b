"""What the preconditionings promise: unit variances, exact tables, and closed forms of Gaussian data."""

import math

import pytest
import torch

from dsg.models.edm.build import NETWORKS
from dsg.models.edm.preconditioning import edm_coefficients

SMALL = {"img_resolution": 8, "img_channels": 3, "model_channels": 8, "channel_mult": [1], "num_blocks": 1}
SONG = SMALL | {"model_type": "SongUNet", "attn_resolutions": []}
SIGMAS = torch.tensor([0.002, 0.02, 0.5, 3.0, 80.0])


@pytest.mark.parametrize("sigma_data", [0.5, 1.3])
def test_input_and_target_of_edms_network_have_unit_variance_at_every_level(sigma_data):
    """2206.00364, eqs. 114 to 138, for data of variance σ_d²: F's target is (x_0 − c_skip x)/c_out."""
    c = edm_coefficients(SIGMAS.double(), sigma_data)
    torch.testing.assert_close(c.input**2 * (SIGMAS.double() ** 2 + sigma_data**2), torch.ones(5).double())
    target = ((1 - c.skip) ** 2 * sigma_data**2 + c.skip**2 * SIGMAS.double() ** 2) / c.out**2
    torch.testing.assert_close(target, torch.ones(5).double())


@pytest.mark.parametrize("class_name", ["EDMPrecond", "Precond"])
def test_a_network_that_answers_nothing_is_the_exact_denoiser_of_a_gaussian(class_name):
    """F = 0 leaves D = c_skip x, which is E[x_0 | x] of N(0, σ_d²)."""
    network = NETWORKS[class_name](**SMALL | {"label_dim": 0, "sigma_data": 0.8}).requires_grad_(False)
    if class_name == "EDMPrecond":
        network.network.out_conv.weight.zero_()
    x = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = x * (0.64 / (0.64 + SIGMAS**2))[:, None, None, None]
    torch.testing.assert_close(network(x, SIGMAS), expected)


def test_the_time_of_vp_is_the_inverse_of_its_noise():
    network = NETWORKS["VPPrecond"](**SONG)
    t = torch.tensor([0.01, 0.3, 1.0], dtype=torch.float64)
    sigma = (torch.expm1(0.5 * 19.9 * t**2 + 0.1 * t)).sqrt()
    torch.testing.assert_close(network.coefficients(sigma).noise, 999 * t)
    assert network.sigma_max == pytest.approx(152.166970, rel=1e-7)


def test_the_levels_of_iddpm_are_those_of_the_cosine_schedule():
    """u² = 1/ā − 1 with ā relative to that of u = 0, wherever C_1 does not bound a step."""
    network = NETWORKS["iDDPMPrecond"](**SMALL)
    levels = network.levels()
    assert len(levels) == 1000
    assert levels[0] == pytest.approx(20291.171, rel=1e-6)
    alpha_bar = [math.sin(0.5 * math.pi * j / 1000 / 1.008) ** 2 for j in range(1001)]
    for j in (1, 10, 500, 900):
        assert levels[j] == pytest.approx(math.sqrt(alpha_bar[1000] / alpha_bar[j] - 1.0), rel=1e-3)


def test_iddpm_hears_the_number_of_the_nearest_level():
    network = NETWORKS["iDDPMPrecond"](**SMALL)
    u = network.u
    near = torch.stack([u[300], 0.6 * u[300] + 0.4 * u[301], 0.4 * u[300] + 0.6 * u[301], u[0] * 2])
    assert network.coefficients(near).noise.tolist() == [699, 699, 698, 999]


def test_labels_that_are_not_there_are_zeros():
    network = NETWORKS["EDMPrecond"](**SMALL, label_dim=4).requires_grad_(False)
    x = torch.randn(5, 3, 8, 8)
    assert torch.equal(network(x, SIGMAS), network(x, SIGMAS, torch.zeros(5, 4)))
    assert not torch.equal(network(x, SIGMAS), network(x, SIGMAS, torch.eye(4)[[0, 1, 2, 3, 0]]))


@pytest.mark.parametrize("class_name", ["EDMPrecond", "Precond", "iDDPMPrecond"])
def test_preconditioning_and_frequencies_keep_float32_under_bf16_weights(class_name):
    torch.manual_seed(0)
    options = (
        SMALL
        | {"label_dim": 0}
        | ({"model_type": "SongUNet", "embedding_type": "fourier"} if class_name == "EDMPrecond" else {})
    )
    network = NETWORKS[class_name](**options).requires_grad_(False)
    exact = {name: buffer.clone() for name, buffer in network.named_buffers() if not name.endswith("resample_filter")}
    x = torch.randn(5, 3, 8, 8)
    full = network(x, SIGMAS)
    halved = network.to(torch.bfloat16)(x, SIGMAS)
    assert halved.dtype == torch.float32
    assert exact
    assert all(torch.equal(network.get_buffer(name), buffer) for name, buffer in exact.items())
    assert (halved - full).abs().max() < 0.05 * max(1.0, full.abs().max().item())
