"""What the methods of the contract meet: tasks, models, kernels and combiners. A new one joins by one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import tasks
from dsg.combiners import (
    APG,
    Autoguidance,
    CFGPlusPlus,
    CFGZeroStar,
    ClassifierFree,
    ClassifierGuidance,
    Conditional,
    DiscriminatorGuidance,
    FrequencyDecoupled,
    PredictionCombiner,
    Switching,
)
from dsg.diffusion import Even, LogSNR, Spacing
from dsg.diffusion.kernels import DDIM, DDPM, Churn, EulerMaruyama, EulerMaruyamaVE, Heun, Renoise, ReverseKernel
from dsg.models.base import ScoreModel
from dsg.models.edm import Denoiser
from tasks import Task
from tasks.features import Crop, Resize
from tests.contract.toys import (
    ToyDenoiser,
    ToyDiscriminator,
    ToyFromNoiseAlone,
    ToyNoisyClassifier,
    ToyOfClasses,
    ToyWithDecoder,
    weaker,
)
from tests.toy import Toy, ToyClassifier, ToyFeatures, ToyImageText


@dataclass(frozen=True)
class Solver:
    """A reverse kernel and the levels that suit it."""

    kernel: ReverseKernel
    spacing: Spacing = field(default_factory=Even)


@dataclass(frozen=True)
class Combining:
    """A prediction combiner and what it declares.

    Args:
        of: the combiner for a model, as some need a network of the same states.
        forwards: network evaluations for one prediction; None is counted without a method.
        silent_steps: first steps for which it needs none.
    """

    of: Callable[[ScoreModel], PredictionCombiner]
    forwards: int | None = 2
    silent_steps: int = 0


# tasks of features differ in their network alone, so that one of each in a sum meets everything
OF_FEATURES: list[Task] = [
    tasks.Text(ToyImageText(), "a red door"),
    tasks.Style(ToyFeatures(), "layer"),
    tasks.Feature(ToyFeatures(), [Crop(1, 15, 0, 16), Resize(16, "bicubic")]),
]
TASKS: dict[str, Task] = {
    "super-resolution": tasks.SuperResolution(factor=4),
    "random inpainting": tasks.RandomInpainting(),
    "box inpainting without noise": tasks.BoxInpainting(size=6, margin=1, noise=tasks.GaussianNoise(0.0)),
    "gaussian deblurring": tasks.GaussianDeblurring(kernel_size=9, sigma=1.5),
    "motion deblurring": tasks.MotionDeblurring(kernel_size=3),  # a wider one takes its solver twenty times as long
    "denoising": tasks.Denoising(),
    "poisson denoising": tasks.Denoising(noise=tasks.PoissonNoise()),
    "class label": tasks.ClassLabel(ToyClassifier()),
    "sum": tasks.Sum([tasks.SuperResolution(factor=4), *OF_FEATURES], [1.0, 0.1, 0.05, 0.1]),
    "colourisation": tasks.Colourisation(),
    "phase retrieval": tasks.PhaseRetrieval(),
    "high dynamic range": tasks.HighDynamicRange(),
}
MODELS: dict[str, ScoreModel] = {
    "toy": Toy(16),
    "toy with learned variance": Toy(16, learns_variance=True),
    "toy of classes": ToyOfClasses(16, learns_variance=True),
    "toy from noise alone": ToyFromNoiseAlone(),
    "toy with decoder": ToyWithDecoder(),
    "edm": Denoiser(ToyDenoiser(), sigma_min=0.01, sigma_max=5.0, label_dropout=True),
}
KERNELS: dict[str, Solver] = {
    "ddim": Solver(DDIM(1.0)),
    "ddim, half the noise": Solver(DDIM(0.5)),
    "ddim without noise": Solver(DDIM(0.0)),
    "ddpm": Solver(DDPM("fixed_small")),
    "ddpm, large variance": Solver(DDPM("fixed_large")),
    "ddpm, learned variance": Solver(DDPM("learned_range")),
    "euler-maruyama": Solver(EulerMaruyama(1.0), LogSNR()),
    "euler": Solver(EulerMaruyama(0.0), LogSNR()),
    "euler-maruyama, exploding": Solver(EulerMaruyamaVE(1.0), LogSNR()),
    "renoise": Solver(Renoise(0.5)),
    "heun": Solver(Heun(), LogSNR()),
    "churned": Solver(Churn(DDPM(), churn=1.0, sigma_min=0.02, noise_scale=1.0)),
}
COMBINERS: dict[str, Combining] = {
    "conditional": Combining(lambda model: Conditional(), 1),
    "cfg": Combining(lambda model: ClassifierFree(2.0)),
    "cfg, a scale for each class": Combining(lambda model: ClassifierFree((1.5, 2.0, 3.0))),
    "cfg++": Combining(lambda model: CFGPlusPlus(0.6)),
    "apg": Combining(lambda model: APG(2.0, norm_threshold=10.0)),
    "apg, from the unconditional": Combining(lambda model: APG(2.0, acts_on="epsilon", start="unconditional")),
    "cfg-zero*": Combining(lambda model: CFGZeroStar(2.0), silent_steps=1),
    "frequency-decoupled": Combining(lambda model: FrequencyDecoupled(1.5, high_scale=3.0)),
    "autoguidance": Combining(lambda model: Autoguidance(2.0, guide=weaker(model))),
    "classifier guidance": Combining(lambda model: ClassifierGuidance(ToyNoisyClassifier(model.shape)), 1),
    "discriminator guidance": Combining(
        lambda model: DiscriminatorGuidance(discriminator=ToyDiscriminator(model.shape)), 1
    ),
    "switching": Combining(lambda model: Switching(model.schedule.at(0.0).t, 0, 1, base=ClassifierFree(2.0))),
}
