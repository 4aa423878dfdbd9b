"""The U-Net in plain torch is the network of diffusers whose weights it takes."""

import pytest
import torch
from packaging.version import Version

from dsg.models.fused.in_diffusers import in_diffusers
from dsg.models.unet import UNet

# a network of another build joins by a line
NETWORKS = {
    "attention at the coarsest": lambda: UNet(3, (16, 32), (False, True), num_labels=4, head_width=8, groups=8),
    "two layers": lambda: UNet(4, (16, 16, 32), (True, False, False), num_labels=3, layers=2, head_width=16, groups=4),
    "one resolution": lambda: UNet(2, (16,), (False,), num_labels=1, head_width=8, groups=2),
}

# in torch 2.6 and 2.9, not in 2.14, equal numbers give others in the last digit where they lie otherwise in memory
BIT_BY_BIT = Version(torch.__version__) >= Version("2.14")
ROUNDING = 0.0 if BIT_BY_BIT else 2e-6
OF_WEIGHTS = {} if BIT_BY_BIT else {"rtol": 1e-5, "atol": 2e-5}


def answer(call, network):
    """Of a batch of two, and the gradients to the input and to the first convolution."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, network.channels, 16, 16, generator=generator).requires_grad_()
    output = call(x, torch.tensor([37.5, 950.0]), torch.tensor([0, network.num_labels - 1]))
    output = getattr(output, "sample", output)
    gradients = torch.autograd.grad(output.square().sum(), [x, next(network.conv_in.parameters())])
    return output.detach(), *gradients


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_answers_as_the_network_of_diffusers_with_the_same_weights_bit_by_bit(name, layout):
    torch.manual_seed(0)
    network = NETWORKS[name]().to(memory_format=layout).eval()
    output, gradient, of_weights = answer(network, network)
    expected, expected_gradient, expected_of_weights = answer(in_diffusers(network), network)
    torch.testing.assert_close([output, gradient], [expected, expected_gradient], rtol=0.0, atol=ROUNDING)
    torch.testing.assert_close(of_weights, expected_of_weights, **OF_WEIGHTS)


def test_every_weight_reaches_the_answer():
    torch.manual_seed(0)
    network = NETWORKS["two layers"]()
    x = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    network(x, torch.tensor([3.0, 700.0]), torch.tensor([0, 2])).square().sum().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []
