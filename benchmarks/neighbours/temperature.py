"""A guide's temperature: what it does to classifier guidance and DPS, and not to DSG over two classes."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from benchmarks.experiments.findings import Check
from benchmarks.neighbours.exact.temperature import ends, means
from benchmarks.theory.ensemble import DEEP, OPEN
from benchmarks.theory.exact.pair import normal_nodes
from benchmarks.theory.pair import pair
from dsg.combiners import ClassifierFree, ClassifierGuidance, MixtureClassifier, PredictionCombiner, TemperedClassifier
from dsg.data.examples import Examples
from dsg.diffusion.continuous_spacing import LogSNR
from dsg.diffusion.kernels import DDIM, Heun, ReverseKernel
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.noise import EnsembleStreams, SampleKey
from dsg.guidance import DPS, DSG, ClassifierGradient, Guidance, Unguided
from dsg.metrics.reciprocal import Reciprocal
from dsg.models.mixture import GaussianMixture, MixtureJudge
from dsg.models.tempered import Tempered
from dsg.sampling import Sampler
from dsg.types import direction
from tasks import ClassLabel

DIMENSION, RATE, STEP = 16, 0.03, 0.03  # of the pair; DSG's rate and DPS's step size
CIRCLES = (2, 3, 8)  # classes on a circle
RADIUS = 2.0


def guided(
    model: GaussianMixture, guidance: Guidance, temperature: float, count: int, kernel: ReverseKernel, steps: int,
    combiner: PredictionCombiner | None = None, label: int = 1, x_T: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Samples (count, d) of a class, by guidance on the unconditional score; DPS follows the tempered classifier of
    clean states.
    """
    task = ClassLabel(Tempered(MixtureJudge(model), temperature), label)
    combiner = combiner or ClassifierFree(0.0)
    sampler = Sampler(model, task, guidance, kernel, steps, LogSNR(), clip_denoised=False, combiner=combiner)
    examples = Examples(None, {"label": torch.full((count,), label)})
    x = torch.empty(0)
    for record in sampler.run(sampler.begin(examples, EnsembleStreams(SampleKey(0, "calibration"), count)), x_T):
        x = record.x_prev
    return x.double()


def tempered(model: GaussianMixture, temperature: float) -> TemperedClassifier:
    return TemperedClassifier(MixtureClassifier(model), temperature)


def by_ode(temperatures: tuple[float, ...], steps: int, tolerance: float) -> tuple[list[list], list[Check]]:
    """Classifier guidance on the pair by Heun, from Gauss-Hermite nodes."""
    start, weights = normal_nodes(120)
    model, rows, checks = pair(schedule=DEEP), [], []
    for temperature in temperatures:
        combiner = ClassifierGuidance(tempered(model, temperature), 1.0, conditional=False)
        x_T = torch.from_numpy(start)[:, None]
        x = guided(model, Unguided(), temperature, len(start), Heun(), steps, combiner, x_T=x_T)[:, 0].numpy()
        found, exact = means(x, start, weights), ends(temperature)
        rows.append([f"{temperature:g}", *(part for both in zip(found, exact, strict=True) for part in both)])
        for name, one, other in zip(("E[1/p]", "E[p]", "mean", "W₁"), found, exact, strict=True):
            what = f"calibration, classifier guidance, T = {temperature:g}, {name}"
            checks.append(Check(what, one, other, tolerance * max(abs(other), 1.0)))
    return rows, checks


def by_methods(temperatures: tuple[float, ...], count: int, steps: int) -> tuple[list[list], list[Check]]:
    """Three ways to follow the guide: E[1/p], E[p], W₁ along the classes' axis, furthest sample from that at T = 1."""
    model, rows, checks = pair(schedule=OPEN, dimension=DIMENSION), [], []
    quantiles = torch.from_numpy(1 + ndtri((np.arange(count) + 0.5) / count))
    for name in ("classifier guidance", "DPS", "DSG"):
        samples = {t: guided(model, _method(name, model, t), t, count, DDIM(1.0), steps) for t in temperatures}
        stated = {}
        for temperature, x in samples.items():
            log_p = model.classifier_log_prob(x, torch.ones(count, dtype=torch.long))
            moved, found = (x - samples[1.0]).abs().max().item(), Reciprocal.of(log_p.numpy())
            stated[temperature] = log_p.exp().mean().item()
            distance = (x[:, 0].sort().values - quantiles).abs().mean().item()
            rows.append([name, f"{temperature:g}", found.mean, found.standard_error, stated[temperature], distance,
                         f"{moved:.1e}"])  # fmt: skip
            if name == "DSG":
                what = f"calibration, DSG, T = {temperature:g}: furthest sample from that at T = 1"
                checks.append(Check(what, moved, 0.0, 1e-4))
        if name != "DSG":
            apart = abs(stated[temperatures[-1]] - stated[1.0])
            what = f"calibration, {name} sees T = {temperatures[-1]:g}: change of E[p]"
            checks.append(Check(what, -apart, -0.1, 0.0, below=True))
    return rows, checks


def _method(name: str, model: GaussianMixture, temperature: float) -> Guidance:
    gradient = ClassifierGradient(tempered(model, temperature))
    return {"classifier guidance": gradient, "DPS": DPS(STEP), "DSG": DSG(gradient, guidance_rate=RATE)}[name]


def nearly(temperatures: tuple[float, ...], count: int) -> tuple[list[list], list[Check]]:
    """Cosine of the gradient with that at T = 1, at noised samples of a class: its mean and 5 % quantile."""
    rows, checks, level = [], [], NoiseLevel.from_alpha_bar(500.0, 0.5)
    for classes in CIRCLES:
        angles = 2 * torch.pi * torch.arange(classes) / classes
        centres = RADIUS * torch.stack([angles.cos(), angles.sin()], dim=1)
        model = GaussianMixture([1.0] * classes, centres, 0.5, list(range(classes)))
        generator, labels = torch.Generator().manual_seed(0), torch.zeros(count, dtype=torch.long)
        noise = torch.randn(count, 2, generator=generator, dtype=torch.float64)
        x = level.signal * model.sample(count, generator) + level.noise * noise
        slopes = {t: _slope(tempered(model, t), x, level, labels) for t in temperatures}
        row: list[str | float] = [str(classes)]
        for temperature in (t for t in temperatures if t != 1.0):
            cosine = (direction(slopes[temperature]) * direction(slopes[1.0])).sum(dim=1)
            row += [f"{cosine.mean():.4f} / {cosine.quantile(0.05):.4f}"]
            if classes == 2:
                what = f"calibration, two classes, T = {temperature:g}: smallest cosine"
                checks.append(Check(what, cosine.min().item(), 1.0, 1e-9))
        rows.append(row)
    return rows, checks


def _slope(classifier: TemperedClassifier, x: Tensor, level: NoiseLevel, labels: Tensor) -> Tensor:
    state = x.clone().requires_grad_()
    return torch.autograd.grad(classifier.log_prob(state, level, labels).sum(), state)[0]
