"""The score models of the contract, and what combiners need beside them: each differs from the toy in one thing."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from dsg.combiners import NoisyClassifier
from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.models.base import ScoreModel
from dsg.models.discriminator import Discriminator
from dsg.models.edm.preconditioning import Coefficients, Preconditioned, edm_coefficients
from dsg.models.labels import labels_for
from dsg.types import Image, PerSample, State, expand_to
from tests.toy import Toy

CLASSES = 3


def class_shift(x_t: State, condition: Condition | None) -> State:
    """What a class adds to the toys' prediction: smooth, and of another shape in every class; (B, *shape)."""
    labels = labels_for(x_t, condition, CLASSES, CLASSES)
    assert labels is not None
    return 0.2 * torch.tanh(x_t + expand_to(labels.float(), x_t) - 1.5)


class ToyOfClasses(Toy):
    """The toy with three classes and a null class."""

    num_classes, null_class = CLASSES, CLASSES

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        return super().forward(x_t, level).shifted(class_shift(x_t, condition), level)


class ToyFromNoiseAlone(ToyOfClasses):
    """Its schedule starts at ā = 0, and it predicts v: that of standard normal data is 0."""

    def __init__(self) -> None:
        super().__init__(16)
        self.schedule = NoiseSchedule(zero_terminal_snr=True)

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        noise = self.second(torch.tanh(self.first(x_t.to(self.first.weight.dtype)))).float().chunk(2, dim=1)[0]
        return Prediction.from_v(0.1 * noise + class_shift(x_t, condition), x_t, level)


class ToyWithDecoder(ScoreModel):
    """States (4,8,8) that decode to pictures (3,16,16): mixed, enlarged and squashed. A latent has no clean range."""

    num_classes, null_class = CLASSES, CLASSES

    def __init__(self) -> None:
        super().__init__()
        self.schedule, self.shape = NoiseSchedule(), (4, 8, 8)
        generator = torch.Generator().manual_seed(0)
        self.network = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.to_colours = nn.Conv2d(4, 3, 1, bias=False)
        for layer in (self.network, self.to_colours):
            layer.weight.data = torch.randn(layer.weight.shape, generator=generator) / layer.weight[0].numel() ** 0.5
        self.freeze()

    @property
    def image_shape(self) -> tuple[int, ...]:
        return (3, 16, 16)

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        noise = torch.tanh(self.network(x_t.to(self.network.weight.dtype))).float()
        epsilon = level.noise * x_t + 0.1 * noise + class_shift(x_t, condition)
        return Prediction.from_epsilon(epsilon, x_t, level)

    def decode(self, state: State) -> Image:
        colours = self.to_colours(state.to(self.to_colours.weight.dtype))
        return torch.tanh(nn.functional.interpolate(colours, scale_factor=2.0, mode="bilinear"))

    def encode(self, image: Image) -> State:
        """Not the decoder's inverse, as no encoder is: smaller again, and mixed by Wᵀ."""
        weight = self.to_colours.weight.transpose(0, 1)
        return nn.functional.conv2d(nn.functional.avg_pool2d(image.to(weight.dtype), 2), weight)


class ToyDenoiser(Preconditioned):
    """EDM's preconditioning around two convolutions, which a class shifts; of pictures (3,16,16)."""

    def __init__(self) -> None:
        super().__init__(16, 3, CLASSES)
        self.model = _ToyUNet()

    @property
    def network(self) -> nn.Module:
        return self.model

    def coefficients(self, sigma: Tensor) -> Coefficients:
        return edm_coefficients(sigma, 0.5)


class _ToyUNet(nn.Module):
    """As small as a network of EDM can be."""

    def __init__(self) -> None:
        super().__init__()
        toy = Toy(16)
        self.first, self.second = toy.first, toy.second
        self.register_buffer("of_class", torch.tensor([[0.1], [0.2], [0.3]]))

    def forward(self, x: Tensor, c_noise: Tensor, labels: Tensor, augment: Tensor | None = None) -> Tensor:
        told = labels.to(x.dtype) @ self.of_class.to(x.dtype)
        return 0.2 * self.second(torch.tanh(self.first(x) + told[:, :, None, None]))[:, :3]


class ToyNoisyClassifier(NoisyClassifier):
    """p(c | x_t) from fixed weights over the whole state.

    Args:
        shape: of one state.
    """

    num_classes = CLASSES

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        n = torch.Size(shape).numel()
        self.weight = nn.Parameter(torch.randn(CLASSES, n, generator=torch.Generator().manual_seed(2)) / n**0.5)
        self.requires_grad_(False)

    def log_prob(self, x_t: State, level: NoiseLevel, labels: Tensor) -> PerSample:
        logits = 3.0 * torch.tanh(level.signal * x_t.flatten(1)) @ self.weight.T
        return logits.log_softmax(1).gather(1, labels[:, None])[:, 0]


class ToyDiscriminator(Discriminator):
    """The logit of d(x_t, t) from fixed weights over the whole state.

    Args:
        shape: of one state.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        n = torch.Size(shape).numel()
        self.shape = shape
        self.weight = nn.Parameter(torch.randn(n, generator=torch.Generator().manual_seed(4)))
        self.requires_grad_(False)

    def logit(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> PerSample:
        return 0.3 * torch.tanh(x_t.flatten(1) + level.signal) @ self.weight


def weaker(model: ScoreModel) -> ScoreModel:
    """The same model with half of its weights' size: what autoguidance moves away from."""
    guide = copy.deepcopy(model)
    for weight in guide.parameters():
        weight.data *= 0.5
    return guide
