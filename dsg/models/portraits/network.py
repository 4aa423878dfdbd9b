"""The network behind the portrait score model: a small class-conditional U-Net that predicts v.

x_t = √ā x_0 + √(1−ā) ε,    v = √ā ε − √(1−ā) x_0    (Salimans & Ho 2022, appendix D)
ε = √ā v + √(1−ā) x_t,      x_0 = √ā x_t − √(1−ā) v
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from dsg.data.portraits import CLASSES
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.models.prediction_types import both_halves
from dsg.models.unet import UNet

PREDICTION = "v"
NULL_CLASS = len(CLASSES)  # the label that says nothing: unconditional
NUM_TIMESTEPS = 1000
WEIGHTS = Path(__file__).with_name("weights.safetensors")

# Linear betas (Ho et al. 2020). float64, (1000,).
SCHEDULE = NoiseSchedule("linear", NUM_TIMESTEPS, 1e-4, 2e-2)
ALPHA_BAR = torch.from_numpy(SCHEDULE.alpha_bar)


def build_network() -> UNet:
    """The untrained network: (x_t (B, 3, 64, 64), t (B,), class_labels (B,) in 0..NULL_CLASS) → v (B, 3, 64, 64)."""
    # Attention at 16 and 8 pixels is what lets one eye know of the other.
    return UNet(3, widths=(48, 96, 128, 128), attention=(False, False, True, True), num_labels=NULL_CLASS + 1)


def load_network(path: str | Path = WEIGHTS) -> UNet:
    """The trained network: float32, evaluation mode, no weight requires a gradient.

    Raises:
        FileNotFoundError: no weights at `path`.
        RuntimeError: the weights are of another network.
    """
    network = build_network()
    network.load_state_dict({name: weight.float() for name, weight in load_file(str(path)).items()}, strict=True)
    return network.eval().requires_grad_(False)


def save_weights(weights: dict[str, torch.Tensor], path: str | Path) -> None:
    """Write the weights as float16 safetensors."""
    save_file(
        {name: weight.detach().to("cpu", torch.float16).contiguous() for name, weight in weights.items()}, str(path)
    )


@torch.no_grad()
def sample(network: torch.nn.Module, noise: torch.Tensor, labels: torch.Tensor, steps: int = 50) -> torch.Tensor:
    """Deterministic DDIM over `steps` evenly spaced timesteps (Song et al. 2021, eq. 12 with σ = 0).

    noise: (B, 3, 64, 64) standard normal; labels: (B,) in 0..NULL_CLASS. Returns images (B, 3, 64, 64) in [-1, 1].
    """
    x = noise
    for step in Even().steps(SCHEDULE, steps):
        v = network(x, torch.full((len(x),), step.t, device=x.device), labels).float()
        prediction = both_halves(v, x, step, PREDICTION).clamped(-1.0, 1.0, x, step)
        x = DDIM(eta=0.0).transition(x, prediction, step).mean
    return x
