"""Networks whose weights are a formula, so that what they answer can be recorded without them."""

from __future__ import annotations

import torch
from torch import Tensor

from dsg.models.edm.build import NETWORKS
from dsg.models.edm.preconditioning import Preconditioned

SIGMAS = (0.05, 0.7, 12.0)


def formula(shape: torch.Size, phase: float) -> Tensor:
    """sin(0.7 i² + phase) at every place i, float32."""
    i = torch.arange(shape.numel(), dtype=torch.float64)
    return torch.sin(0.7 * i**2 + phase).float().reshape(shape)


def with_formula(class_name: str, **options) -> Preconditioned:
    """A network by its constructor's options; tables and filters stay what they are."""
    network = NETWORKS[class_name](**options).eval().requires_grad_(False)
    for phase, (name, tensor) in enumerate(sorted(network.state_dict().items())):
        if name != "u" and not name.endswith("resample_filter"):
            fan_in = tensor[0].numel() if tensor.ndim > 1 else 1
            tensor.copy_((tensor.ndim == 1) * 0.5 + formula(tensor.shape, phase) / fan_in**0.5)
    return network


def answers(network: Preconditioned) -> dict[str, list[float]]:
    """Some numbers of D at three levels, and of its gradient; labels 0, 1, 2 where there are classes."""
    size = (3, network.img_channels, network.img_resolution, network.img_resolution)
    sigma = torch.tensor(SIGMAS)
    x = ((0.5 + sigma[:, None, None, None]) * formula(torch.Size(size), 0.3)).requires_grad_()
    labels = torch.eye(network.label_dim)[:3] if network.label_dim else None
    denoised = network(x, sigma, labels)
    (gradient,) = torch.autograd.grad((formula(torch.Size(size), 1.1) * denoised).sum(), x)
    return {"D": _some(denoised.detach()), "gradient": _some(gradient)}


def _some(values: Tensor) -> list[float]:
    return values.flatten()[:: values.numel() // 23].tolist()
